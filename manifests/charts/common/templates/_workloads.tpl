{{/*
Everything that the workloads of a chart need. Each one under .Values.workloads has
an image, ports, rules and resources, and may have more: see the templates below.
*/}}
{{- define "common.workloads" -}}
{{- range $name, $workload := .Values.workloads }}
{{- $scope := dict "root" $ "name" $name "workload" $workload }}
{{ include "common.serviceAccount" $scope }}
{{ include "common.rbac" $scope }}
{{ include "common.configuration" $scope }}
{{ include "common.controller" $scope }}
{{ include "common.service" $scope }}
{{ include "common.scaling" $scope }}
{{ include "common.policies" $scope }}
{{- end }}
{{- end -}}

{{- define "common.serviceAccount" -}}
---
apiVersion: v1
kind: ServiceAccount
{{ include "common.metadata" . }}
automountServiceAccountToken: {{ not (not (or .workload.rules .workload.namespacedRules)) }}
{{- end -}}

{{- define "common.configuration" -}}
{{- with .workload.config }}
---
apiVersion: v1
kind: ConfigMap
{{ include "common.metadata" $ }}
data:
  {{- range $file, $text := . }}
  {{ $file }}: {{ tpl (toString $text) $.root | quote }}
  {{- end }}
{{- end }}
{{- with .workload.secret }}
---
apiVersion: v1
kind: Secret
{{ include "common.metadata" $ }}
type: Opaque
stringData:
  {{- range $key, $text := . }}
  {{ $key }}: {{ tpl (toString $text) $.root | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "common.controller" -}}
---
apiVersion: apps/v1
kind: {{ .workload.kind | default "Deployment" }}
{{ include "common.metadata" . }}
spec:
  {{- if ne .workload.kind "DaemonSet" }}
  {{- if not .workload.autoscaling }}
  replicas: {{ .workload.replicas | default 1 }}
  {{- end }}
  {{- end }}
  {{- if eq .workload.kind "StatefulSet" }}
  serviceName: {{ include "common.fullname" . }}
  {{- end }}
  selector:
    matchLabels: {{- include "common.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "common.labels" . | nindent 8 }}
      annotations:
        sidecar.istio.io/inject: {{ .workload.mesh | default false | quote }}
        {{- with .workload.config }}
        checksum/config: {{ toJson . | sha256sum }}
        {{- end }}
    spec: {{- include "common.podSpec" . | nindent 6 }}
  {{- if and (eq .workload.kind "StatefulSet") .workload.storage }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: {{ .workload.storage.size }}
  {{- end }}
{{- end -}}

{{- define "common.podSpec" -}}
serviceAccountName: {{ include "common.fullname" . }}
{{- with (.root.Values.global).priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .workload.hostNetwork }}
hostNetwork: true
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: {{ .name }}
    image: {{ include "common.image" . }}
    imagePullPolicy: {{ (.root.Values.global).imagePullPolicy | default "IfNotPresent" }}
    {{- with .workload.args }}
    args:
      {{- range . }}
      - {{ tpl . $.root | quote }}
      {{- end }}
    {{- end }}
    {{- with .workload.env }}
    env:
      {{- range $key, $value := . }}
      - name: {{ $key }}
        value: {{ tpl (toString $value) $.root | quote }}
      {{- end }}
    {{- end }}
    {{- with .workload.ports }}
    ports:
      {{- range $port, $number := . }}
      - name: {{ $port }}
        containerPort: {{ $number }}
      {{- end }}
    {{- end }}
    {{- with .workload.probe }}
    livenessProbe:
      httpGet:
        path: {{ .path }}
        port: {{ .port }}
      initialDelaySeconds: 10
      periodSeconds: 15
    readinessProbe:
      httpGet:
        path: {{ .ready | default .path }}
        port: {{ .port }}
      periodSeconds: 10
    {{- end }}
    resources: {{- toYaml .workload.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      {{- if .workload.config }}
      - name: config
        mountPath: /etc/{{ .name }}
        readOnly: true
      {{- end }}
      {{- if .workload.secret }}
      - name: secret
        mountPath: /etc/{{ .name }}-secret
        readOnly: true
      {{- end }}
      {{- with .workload.storage }}
      - name: data
        mountPath: {{ .path }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir: {}
  {{- if .workload.config }}
  - name: config
    configMap:
      name: {{ include "common.fullname" . }}
  {{- end }}
  {{- if .workload.secret }}
  - name: secret
    secret:
      secretName: {{ include "common.fullname" . }}
  {{- end }}
{{- end -}}

{{- define "common.service" -}}
{{- if .workload.ports }}
---
apiVersion: v1
kind: Service
{{ include "common.metadata" . }}
spec:
  {{- if eq .workload.kind "StatefulSet" }}
  clusterIP: None
  {{- end }}
  {{- with .workload.serviceType }}
  type: {{ . }}
  {{- end }}
  selector: {{- include "common.selectorLabels" . | nindent 4 }}
  ports:
    {{- range $port, $number := .workload.ports }}
    - name: {{ $port }}
      port: {{ $number }}
      targetPort: {{ $port }}
    {{- end }}
{{- end }}
{{- end -}}
