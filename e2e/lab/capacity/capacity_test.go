package capacity

import (
	"os"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
)

func TestMain(m *testing.M) { os.Exit(controlplane.Main(m)) }

// The API server takes a while to remove what the first probe made.
func TestProbesOneRightAfterTheOther(t *testing.T) {
	config := controlplane.Shared(t).RESTConfig()
	config.QPS = -1
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	probe := Probe{Config: config, Client: clients.InventoryV1alpha1().RESTClient(), Clock: clock.RealClock{}, Namespace: "default"}
	for range 2 {
		result, err := probe.Run(t.Context(), 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if result.Capacity <= 0 || result.Writes == 0 {
			t.Errorf("%d writes, %v a second", result.Writes, result.Capacity)
		}
	}
}
