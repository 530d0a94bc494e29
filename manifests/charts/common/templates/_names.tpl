{{/* The chart's name, or its override. */}}
{{- define "common.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A name for an object of a workload: chart-workload, or the chart where both are one. */}}
{{- define "common.fullname" -}}
{{- $base := include "common.name" .root -}}
{{- if or (not .name) (eq .name $base) -}}
{{- $base -}}
{{- else -}}
{{- printf "%s-%s" $base .name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ include "common.fullname" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "common.labels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: kyma
app.kubernetes.io/managed-by: kyma-operator
app.kubernetes.io/version: {{ .root.Chart.AppVersion | default .root.Chart.Version | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object in the release's namespace. */}}
{{- define "common.metadata" -}}
metadata:
  name: {{ include "common.fullname" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "common.labels" . | nindent 4 }}
{{- end -}}

{{/* metadata of an object of the cluster. */}}
{{- define "common.clusterMetadata" -}}
metadata:
  name: {{ printf "%s:%s" .root.Release.Namespace (include "common.fullname" .) }}
  labels: {{- include "common.labels" . | nindent 4 }}
{{- end -}}

{{- define "common.image" -}}
{{- printf "%s/%s" (.root.Values.global).imageRegistry .workload.image -}}
{{- end -}}
