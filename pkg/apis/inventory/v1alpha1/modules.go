package v1alpha1

// StandardComponents returns the 18 modules of a standard Kyma, in the order of
// their installation.
func StandardComponents() []KymaComponent {
	return []KymaComponent{
		{Name: "istio", Namespace: "istio-system"},
		{Name: "cluster-essentials"},
		{Name: "certificates", Namespace: "istio-system"},
		{Name: "istio-resources"},
		{Name: "logging"},
		{Name: "tracing"},
		{Name: "kiali"},
		{Name: "monitoring"},
		{Name: "eventing"},
		{Name: "ory"},
		{Name: "api-gateway"},
		{Name: "service-catalog"},
		{Name: "service-catalog-addons"},
		{Name: "rafter"},
		{Name: "helm-broker"},
		{Name: "cluster-users"},
		{Name: "serverless"},
		{Name: "application-connector", Namespace: "kyma-integration"},
	}
}
