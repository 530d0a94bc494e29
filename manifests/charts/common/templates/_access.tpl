{{- define "common.rbac" -}}
{{- with .workload.rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
{{ include "common.clusterMetadata" $ }}
rules: {{- toYaml . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
{{ include "common.clusterMetadata" $ }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ printf "%s:%s" $.root.Release.Namespace (include "common.fullname" $) }}
subjects:
  - kind: ServiceAccount
    name: {{ include "common.fullname" $ }}
    namespace: {{ $.root.Release.Namespace }}
{{- end }}
{{- with .workload.namespacedRules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
{{ include "common.metadata" $ }}
rules: {{- toYaml . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
{{ include "common.metadata" $ }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "common.fullname" $ }}
subjects:
  - kind: ServiceAccount
    name: {{ include "common.fullname" $ }}
    namespace: {{ $.root.Release.Namespace }}
{{- end }}
{{- end -}}

{{- define "common.scaling" -}}
{{- with .workload.autoscaling }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "common.metadata" $ }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ $.workload.kind | default "Deployment" }}
    name: {{ include "common.fullname" $ }}
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .cpu }}
{{- end }}
{{- with .workload.disruptionBudget }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "common.metadata" $ }}
spec:
  minAvailable: {{ .minAvailable }}
  selector:
    matchLabels: {{- include "common.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "common.policies" -}}
{{- with .workload.allowFrom }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
{{ include "common.metadata" $ }}
spec:
  podSelector:
    matchLabels: {{- include "common.selectorLabels" $ | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from:
        {{- range . }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ . }}
        {{- end }}
{{- end }}
{{- with .workload.metrics }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
{{ include "common.metadata" $ }}
spec:
  selector:
    matchLabels: {{- include "common.selectorLabels" $ | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ $.root.Release.Namespace }}]
  endpoints:
    - port: {{ .port }}
      interval: {{ .interval | default "30s" }}
      metricRelabelings:
        - sourceLabels: [__name__]
          regex: ^(go_gc_.*|go_memstats_.*_total)$
          action: drop
{{- end }}
{{- end -}}
