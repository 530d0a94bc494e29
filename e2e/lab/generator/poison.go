package generator

import (
	"fmt"
	"strings"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// PoisonPrefix begins the names of Kymas that cannot succeed.
const PoisonPrefix = "poison-"

// Poisoned is a Kyma that cannot succeed.
type Poisoned struct {
	Name    string
	Modules []v1alpha1.KymaComponent
}

// Poison returns one Kyma with a chart that is not there, and one as large as
// the schema allows: 256 modules with the longest fields.
func Poison() []Poisoned {
	large := make([]v1alpha1.KymaComponent, 0, 256)
	for i := range 256 {
		large = append(large, v1alpha1.KymaComponent{
			Name: fmt.Sprintf("m%03d%s", i, strings.Repeat("x", 59)), Namespace: strings.Repeat("n", 63),
			ChartLocation: strings.Repeat("not-there/", 102), Version: strings.Repeat("1", 128),
		})
	}
	return []Poisoned{
		{PoisonPrefix + "chart", []v1alpha1.KymaComponent{{Name: "ory", ChartLocation: "not/there"}}},
		{PoisonPrefix + "large", large},
	}
}
