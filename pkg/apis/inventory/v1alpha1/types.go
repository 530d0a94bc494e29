package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultNamespace is where a module is installed when it names no namespace.
const DefaultNamespace = "kyma-system"

// Labels on every HelmComponent, for selecting by Kyma and by module. A Kyma
// name of more than 62 characters is shortened with a hash in the label.
const (
	LabelKyma   = "inventory.kyma-project.io/kyma"
	LabelModule = "inventory.kyma-project.io/module"
)

// ConditionReady is the type of the Kyma's only condition.
const ConditionReady = "Ready"

// KymaState says how far a Kyma is.
// +kubebuilder:validation:Enum=reconciling;success
type KymaState string

const (
	// KymaReconciling means that at least one module is not success yet.
	KymaReconciling KymaState = "reconciling"
	// KymaSuccess means that every module is success.
	KymaSuccess KymaState = "success"
)

// ComponentState is a step of a HelmComponent's lifecycle. The steps follow one
// another in the order of the constants.
// +kubebuilder:validation:Enum=pending;started;failing;retrying;success
type ComponentState string

const (
	// ComponentPending is the state of a component that was just made.
	ComponentPending ComponentState = "pending"
	// ComponentStarted means that the chart was rendered and goes in.
	ComponentStarted ComponentState = "started"
	// ComponentFailing means that the first attempt does not become ready.
	ComponentFailing ComponentState = "failing"
	// ComponentRetrying means that the second attempt is on its way.
	ComponentRetrying ComponentState = "retrying"
	// ComponentSuccess is the final state.
	ComponentSuccess ComponentState = "success"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=ky,categories=kyma
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="WAITINGFOR",type=string,JSONPath=`.status.waitingFor`
// +kubebuilder:printcolumn:name="COMPONENTS",type=string,JSONPath=`.status.components`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`

// Kyma is one managed cluster: a list of modules to be brought to success.
type Kyma struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec KymaSpec `json:"spec,omitempty"`
	// +optional
	Status KymaStatus `json:"status,omitempty"`
}

// KymaSpec names the modules.
type KymaSpec struct {
	// components are the modules, each at most once.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Components []KymaComponent `json:"components,omitempty"`
}

// KymaComponent is one module of a Kyma. Its fields are copied to the module's
// HelmComponent.
type KymaComponent struct {
	// name of the module, a DNS label. The number of its characters is the
	// length of the installation's steps, in lifecycle units.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// namespace that the module is installed into; kyma-system where it is empty.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	Namespace string `json:"namespace,omitempty"`
	// chartLocation says where the module's chart is; the built-in chart of the
	// module's name where it is empty. See HelmComponentSpec.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ChartLocation string `json:"chartLocation,omitempty"`
	// version of the chart, for locations that hold several.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
}

// KymaStatus is written by the operator only.
// +structType=atomic
type KymaStatus struct {
	// status is success if and only if every module is.
	// +optional
	Status KymaState `json:"status,omitempty"`
	// waitingFor lists the modules that are not success yet, in spec order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	WaitingFor []string `json:"waitingFor,omitempty"`
	// components counts the modules that are success, like 17/18.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Components string `json:"components,omitempty"`
	// observedGeneration is the generation of the spec that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions holds the condition Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// KymaList is a list of Kyma.
type KymaList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Kyma `json:"items"`
}

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=hc,categories=kyma
// +kubebuilder:printcolumn:name="STATUS",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="COMPONENT",type=string,JSONPath=`.spec.componentName`
// +kubebuilder:printcolumn:name="KYMA",type=string,JSONPath=`.metadata.ownerReferences[0].name`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`

// HelmComponent is one module of one Kyma, driven through
// pending, started, failing, retrying to success.
type HelmComponent struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec HelmComponentSpec `json:"spec,omitempty"`
	// status is there from the first read on: the API server fills in pending,
	// so that the first state costs no write.
	// +optional
	// +kubebuilder:default={}
	Status HelmComponentStatus `json:"status,omitempty"`
}

// HelmComponentSpec says what to install where. A change of it starts the
// lifecycle anew.
// +structType=atomic
type HelmComponentSpec struct {
	// componentName is the module, a DNS label.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ComponentName string `json:"componentName,omitempty"`
	// chartLocation is empty (the chart of the component's name), a directory or
	// .tgz archive below the operator's --charts, or a repository as oci://… or
	// https://….
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ChartLocation string `json:"chartLocation,omitempty"`
	// version of the chart, for locations that hold several.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// namespace that the component is installed into.
	// +optional
	// +kubebuilder:default=kyma-system
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`
}

// HelmComponentStatus is written by the operator only.
// +structType=atomic
type HelmComponentStatus struct {
	// status is the step that the component has reached.
	// +optional
	// +kubebuilder:default=pending
	Status ComponentState `json:"status,omitempty"`
	// lastReconciliation is the time of the last status write.
	// +optional
	LastReconciliation *metav1.Time `json:"lastReconciliation,omitempty"`
	// startTime is the origin of the timeline where that is not the creation of
	// the object: the last change of the spec, or the first successful render.
	// +optional
	StartTime *metav1.MicroTime `json:"startTime,omitempty"`
	// observedGeneration is the generation of the spec that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// manifestDigest is the SHA-256 of the rendered chart, as sha256:<hex>.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	ManifestDigest string `json:"manifestDigest,omitempty"`
	// message says why the component is not where it should be; empty otherwise.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// HelmComponentList is a list of HelmComponent.
type HelmComponentList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []HelmComponent `json:"items"`
}

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=kyma
// +kubebuilder:printcolumn:name="PROVIDER",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="REGION",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`

// Cluster is the cluster that a Kyma's workload runs on. It is inventory only:
// nothing acts on it yet.
type Cluster struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ClusterSpec `json:"spec,omitempty"`
	// +optional
	Status ClusterStatus `json:"status,omitempty"`
}

// ClusterSpec says where the cluster is and how to reach it.
type ClusterSpec struct {
	// provider of the infrastructure, like gcp or azure.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Provider string `json:"provider,omitempty"`
	// region in the provider's own words.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Region string `json:"region,omitempty"`
	// oidc is how users of the cluster are authenticated.
	// +optional
	OIDC *OIDC `json:"oidc,omitempty"`
	// kubeconfigSecretRef names the Secret that holds the kubeconfig.
	// +optional
	KubeconfigSecretRef *SecretKeyRef `json:"kubeconfigSecretRef,omitempty"`
}

// OIDC holds the API server's OpenID Connect settings.
type OIDC struct {
	// clientID is the client that tokens must be issued for.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClientID string `json:"clientID,omitempty"`
	// groupsClaim is the claim that holds the user's groups.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// issuerURL is the provider's URL.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	IssuerURL string `json:"issuerURL,omitempty"`
	// signingAlgs are the accepted signing algorithms.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16
	SigningAlgs []string `json:"signingAlgs,omitempty"`
	// usernameClaim is the claim that holds the user's name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	UsernameClaim string `json:"usernameClaim,omitempty"`
	// usernamePrefix is put before the user's name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	UsernamePrefix string `json:"usernamePrefix,omitempty"`
}

// SecretKeyRef names a key of a Secret in the same namespace.
type SecretKeyRef struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key within the Secret.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// ClusterStatus is for later use.
type ClusterStatus struct{}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// ClusterList is a list of Cluster.
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Cluster `json:"items"`
}
