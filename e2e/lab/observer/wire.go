package observer

import (
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// frame is one message of a watch.
type frame struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// meta is what is read of an object's metadata; the rest is skipped unread.
type meta struct {
	UID               types.UID        `json:"uid"`
	Namespace         string           `json:"namespace"`
	Name              string           `json:"name"`
	ResourceVersion   uint64           `json:"resourceVersion,string"`
	Generation        int64            `json:"generation"`
	CreationTimestamp time.Time        `json:"creationTimestamp"`
	DeletionTimestamp *time.Time       `json:"deletionTimestamp"`
	OwnerReferences   []ownerReference `json:"ownerReferences"`
}

type ownerReference struct {
	UID        types.UID `json:"uid"`
	Name       string    `json:"name"`
	Controller bool      `json:"controller"`
}

type componentWire struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		ComponentName string `json:"componentName"`
	} `json:"spec"`
	Status struct {
		Status    v1alpha1.ComponentState `json:"status"`
		StartTime time.Time               `json:"startTime"`
	} `json:"status"`
}

type kymaWire struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Components []struct {
			Name string `json:"name"`
		} `json:"components"`
	} `json:"spec"`
	Status struct {
		Status             v1alpha1.KymaState `json:"status"`
		WaitingFor         []string           `json:"waitingFor"`
		ObservedGeneration int64              `json:"observedGeneration"`
	} `json:"status"`
}

// listMeta is the head of a list.
type listWire struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// status is the object of an ERROR frame.
type statusWire struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (w *componentWire) seen(deleted bool) history.ComponentSeen {
	e := history.ComponentSeen{
		UID: w.Metadata.UID, Ref: history.Ref{Namespace: w.Metadata.Namespace, Name: w.Metadata.Name},
		Module: w.Spec.ComponentName, Created: w.Metadata.CreationTimestamp, Deleted: deleted,
		RV: w.Metadata.ResourceVersion, Generation: w.Metadata.Generation, State: w.Status.Status, Origin: w.Status.StartTime,
	}
	for _, o := range w.Metadata.OwnerReferences {
		if o.Controller {
			e.OwnerUID, e.OwnerName = o.UID, o.Name
		}
	}
	return e
}

func (w *kymaWire) seen(deleted bool) history.KymaSeen {
	e := history.KymaSeen{
		UID: w.Metadata.UID, Ref: history.Ref{Namespace: w.Metadata.Namespace, Name: w.Metadata.Name},
		Created: w.Metadata.CreationTimestamp, Deleted: deleted, Deleting: w.Metadata.DeletionTimestamp != nil,
		RV: w.Metadata.ResourceVersion, Generation: w.Metadata.Generation, Observed: w.Status.ObservedGeneration,
		Status: w.Status.Status, Waiting: len(w.Status.WaitingFor),
	}
	for _, c := range w.Spec.Components {
		e.Modules = append(e.Modules, c.Name)
	}
	return e
}
