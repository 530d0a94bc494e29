package generator

import (
	"fmt"
	"strings"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// PoisonPrefix begins the names of Kymas that cannot succeed.
const PoisonPrefix = "poison-"

// BadChart are modules of which one has a chart that is not there.
func BadChart() []v1alpha1.KymaComponent {
	return []v1alpha1.KymaComponent{{Name: "ory", ChartLocation: "not/there"}, {Name: "istio"}}
}

// TwoMegabytes are so many modules that their spec has more than 2 MB: far more
// than the schema allows.
func TwoMegabytes() []v1alpha1.KymaComponent {
	const size = 1024
	out := make([]v1alpha1.KymaComponent, 0, 2*size)
	for i := range 2 * size {
		out = append(out, v1alpha1.KymaComponent{Name: fmt.Sprintf("module-%d", i), ChartLocation: strings.Repeat("x", size)})
	}
	return out
}
