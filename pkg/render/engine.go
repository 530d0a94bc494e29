package render

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// renderFiles is what helm template does, in the child: load, merge values,
// render, sort. It returns the number of documents and the documents.
func renderFiles(files []chartFile, req *wireRequest) (int, []byte, error) {
	loader.MaxDecompressedChartSize = req.Limits.UnpackedBytes
	loader.MaxDecompressedFileSize = req.Limits.FileBytes
	c, err := loadChart(files, req.Limits)
	if err != nil {
		return 0, nil, err
	}
	caps, err := capabilities(req.KubeVersion)
	if err != nil {
		return 0, nil, err
	}
	values, err := renderValues(c, caps, req)
	if err != nil {
		return 0, nil, err
	}
	// No client, so lookup finds nothing, and no DNS for getHostByName.
	rendered, err := engine.Engine{EnableDNS: false}.Render(c, values)
	if err != nil {
		return 0, nil, failure(KindTemplate, "%v", err).because(err)
	}
	return canonical(c, rendered, req.Limits.OutputBytes)
}

func loadChart(files []chartFile, limits Limits) (*chart.Chart, error) {
	buffered := make([]*loader.BufferedFile, 0, len(files))
	for _, f := range files {
		buffered = append(buffered, &loader.BufferedFile{Name: f.name, Data: f.data})
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, failure(KindInvalid, "%v", err).because(err)
	}
	if strings.EqualFold(c.Metadata.Type, "library") {
		return nil, failure(KindInvalid, "%s is a library chart and renders nothing", c.Name())
	}
	if err := checkSubCharts(c, nil, limits.Depth); err != nil {
		return nil, err
	}
	return c, nil
}

// checkSubCharts sees that every declared sub-chart is there, once, and sorts
// them: helm's loader returns them in the order of a map.
func checkSubCharts(c *chart.Chart, above []string, depth int) error {
	above = append(above, c.Name())
	if len(above) > depth+1 {
		return failure(KindTooLarge, "sub-charts nest deeper than %d", depth)
	}
	subs := c.Dependencies()
	slices.SortFunc(subs, func(a, b *chart.Chart) int {
		return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Metadata.Version, b.Metadata.Version))
	})
	for i, sub := range subs[min(1, len(subs)):] {
		if sub.Name() == subs[i].Name() && sub.Metadata.Version == subs[i].Metadata.Version {
			return failure(KindInvalid, "%s holds the sub-chart %s twice", c.Name(), sub.Name())
		}
	}
	c.SetDependencies(subs...)
	for _, dep := range c.Metadata.Dependencies {
		if dep == nil || slices.ContainsFunc(subs, func(s *chart.Chart) bool { return s.Name() == dep.Name }) {
			continue
		}
		if slices.Contains(above, dep.Name) {
			return failure(KindInvalid, "the sub-charts form a cycle: %s -> %s", strings.Join(above, " -> "), dep.Name)
		}
		return failure(KindInvalid, "%s lacks its sub-chart %s in charts/", c.Name(), dep.Name)
	}
	for _, sub := range subs {
		if err := checkSubCharts(sub, above, depth); err != nil {
			return err
		}
	}
	return nil
}

func capabilities(kubeVersion string) (*chartutil.Capabilities, error) {
	version, err := chartutil.ParseKubeVersion(orDefault(kubeVersion, DefaultKubeVersion))
	if err != nil {
		return nil, failure(KindInternal, "the Kubernetes version is not valid").because(err)
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	return caps, nil
}

func renderValues(c *chart.Chart, caps *chartutil.Capabilities, req *wireRequest) (chartutil.Values, error) {
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, caps.KubeVersion.Version) {
		return nil, failure(KindInvalid, "the chart wants Kubernetes %s, not %s", want, caps.KubeVersion.Version)
	}
	values := map[string]any{}
	if req.Values != nil {
		if err := json.Unmarshal(req.Values, &values); err != nil {
			return nil, failure(KindInvalid, "the values are not an object").because(err)
		}
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, failure(KindInvalid, "%v", err).because(err)
	}
	release := chartutil.ReleaseOptions{Name: req.Release, Namespace: req.Namespace, Revision: 1, IsInstall: true}
	// Helm's own validation of schemas fetches what they refer to.
	const skipSchema = true
	top, err := chartutil.ToRenderValuesWithSchemaValidation(c, values, release, caps, skipSchema)
	if err != nil {
		return nil, failure(KindInvalid, "the values cannot be merged: %v", err).because(err)
	}
	merged, err := top.Table("Values")
	if err != nil {
		return nil, failure(KindInvalid, "the values are not an object").because(err)
	}
	if err := checkSchema(c, merged); err != nil {
		return nil, err
	}
	return top, nil
}
