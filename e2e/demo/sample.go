package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

func loadSample(path string) (*inventory.Kyma, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load sample: %w", err)
	}
	kyma := &inventory.Kyma{}
	if err := yaml.UnmarshalStrict(data, kyma); err != nil {
		return nil, fmt.Errorf("load sample %s: %w", path, err)
	}
	return kyma, nil
}

// names returns the names of n Kymas: the sample's own for a single one, else kyma0001, kyma0002 and so on. They have no
// dash, so that a component's name tells at a glance where the Kyma's name ends.
func names(base string, n int) []string {
	if n == 1 {
		return []string{base}
	}
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%04d", base, i+1)
	}
	return list
}

// ideal is how long a Kyma takes when nothing holds it up: its components run side by side, and one of them takes 1 + 3N
// units, N being the number of characters of its name.
func ideal(kyma *inventory.Kyma, unit time.Duration) time.Duration {
	longest := 0
	for _, c := range kyma.Spec.Components {
		longest = max(longest, len(c.Name))
	}
	return time.Duration(1+3*longest) * unit
}

// lifecycleUnit finds the operator's --lifecycle-unit among its arguments; a second where it is not there.
func lifecycleUnit(args []string) (time.Duration, error) {
	unit := time.Second
	for i, arg := range args {
		value, found := strings.CutPrefix(arg, "--lifecycle-unit=")
		if arg == "--lifecycle-unit" && i+1 < len(args) {
			value, found = args[i+1], true
		}
		if !found {
			continue
		}
		var err error
		if unit, err = time.ParseDuration(value); err != nil {
			return 0, fmt.Errorf("read --lifecycle-unit: %w", err)
		}
	}
	return unit, nil
}
