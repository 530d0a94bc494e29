package informers

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/controller/stream"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/scheme"
)

// source is where an informer's objects come from.
type source struct {
	client    func() rest.Interface
	resource  string
	namespace string
}

// listWatch lists and watches T, a kind whose pointers are objects. A list is
// read and stripped object by object: client-go's reflector would either hold
// all of it as the server sent it, or ask for a stream of events, which costs
// the API server more than twice as much.
func listWatch[T any](s source, strip cache.TransformFunc) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			// The newest, and whole: what the last leader wrote must be there. The
			// API server takes it from its watch cache once that is up to date.
			opts.ResourceVersion, opts.ResourceVersionMatch, opts.Limit = "", "", 0
			body, err := s.get(opts).Stream(ctx)
			if err != nil {
				return nil, err
			}
			defer func() { _ = body.Close() }()
			list := &internalversion.List{}
			list.ListMeta, err = stream.ReadList(body, func(obj *T) error {
				stripped, err := strip(obj)
				if err == nil {
					list.Items = append(list.Items, stripped.(runtime.Object))
				}
				return err
			})
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.Watch = true
			return s.get(opts).Watch(ctx)
		},
	}, noStreamedLists{})
}

func (s source) get(opts metav1.ListOptions) *rest.Request {
	return s.client().Get().NamespaceIfScoped(s.namespace, s.namespace != "").Resource(s.resource).
		VersionedParams(&opts, scheme.ParameterCodec)
}

// noStreamedLists tells the reflector to ask for lists.
type noStreamedLists struct{}

// IsWatchListSemanticsUnSupported has the name that client-go looks for.
func (noStreamedLists) IsWatchListSemanticsUnSupported() bool { return true }
