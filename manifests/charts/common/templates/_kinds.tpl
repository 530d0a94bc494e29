{{/* CRDs from .Values.resources: group, kind, plural, version, scope, fields by name and type. */}}
{{- define "common.crds" -}}
{{- range .Values.resources }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ .plural }}.{{ .group }}
  labels:
    app.kubernetes.io/part-of: kyma
    app.kubernetes.io/managed-by: kyma-operator
spec:
  group: {{ .group }}
  scope: {{ .scope | default "Namespaced" }}
  names:
    kind: {{ .kind }}
    listKind: {{ .kind }}List
    plural: {{ .plural }}
    singular: {{ .kind | lower }}
    {{- with .categories }}
    categories: {{ toYaml . | nindent 6 }}
    {{- end }}
  versions:
    - name: {{ .version | default "v1alpha1" }}
      served: true
      storage: true
      subresources:
        status: {}
      additionalPrinterColumns:
        - name: Age
          type: date
          jsonPath: .metadata.creationTimestamp
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              {{- with .required }}
              required: {{ toYaml . | nindent 16 }}
              {{- end }}
              properties:
                {{- range $field, $type := .fields }}
                {{ $field }}: {{ include "common.fieldSchema" $type | nindent 18 }}
                {{- end }}
            status:
              type: object
              x-kubernetes-preserve-unknown-fields: true
{{- end }}
{{- end -}}

{{/* A type in short: string, integer, boolean, map, object, or one of these in brackets. */}}
{{- define "common.fieldSchema" -}}
{{- if hasPrefix "[" . -}}
type: array
items: {{ include "common.fieldSchema" (trimAll "[]" .) | nindent 2 }}
{{- else if eq . "map" -}}
type: object
additionalProperties:
  type: string
{{- else if eq . "object" -}}
type: object
x-kubernetes-preserve-unknown-fields: true
{{- else -}}
type: {{ . }}
{{- end -}}
{{- end -}}

{{/* Dashboards from .Values.dashboards: title and panels by query. */}}
{{- define "common.dashboards" -}}
{{- range $name, $dashboard := .Values.dashboards }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.name" $ }}-dashboard-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "common.labels" (dict "root" $ "name" "") | nindent 4 }}
    grafana_dashboard: "1"
data:
  {{ $name }}.json: |-
    {
      "title": {{ $dashboard.title | quote }},
      "uid": {{ printf "%s/%s" (include "common.name" $) $name | sha1sum | trunc 12 | quote }},
      "schemaVersion": 39,
      "time": {"from": "now-1h", "to": "now"},
      "panels": [
        {{- range $i, $panel := $dashboard.panels }}
        {{- if $i }},{{ end }}
        {
          "id": {{ add $i 1 }},
          "title": {{ $panel.title | quote }},
          "type": {{ $panel.type | default "timeseries" | quote }},
          "gridPos": {"h": 8, "w": 12, "x": {{ mul (mod $i 2) 12 }}, "y": {{ mul (div $i 2) 8 }}},
          "fieldConfig": {"defaults": {"unit": {{ $panel.unit | default "short" | quote }}}},
          "targets": [{"refId": "A", "expr": {{ $panel.query | toJson }}, "legendFormat": {{ $panel.legend | default "" | quote }}}]
        }
        {{- end }}
      ]
    }
{{- end }}
{{- end -}}

{{/* Alerts from .Values.alerts: groups of rules. */}}
{{- define "common.alerts" -}}
{{- range $group, $alerts := .Values.alerts }}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "common.name" $ }}-{{ $group }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "common.labels" (dict "root" $ "name" "") | nindent 4 }}
spec:
  groups:
    - name: {{ $group }}
      rules:
        {{- range $alerts }}
        - alert: {{ .name }}
          expr: {{ .query | quote }}
          for: {{ .for | default "15m" }}
          labels:
            severity: {{ .severity | default "warning" }}
          annotations:
            summary: {{ .summary | quote }}
        {{- end }}
{{- end }}
{{- end -}}
