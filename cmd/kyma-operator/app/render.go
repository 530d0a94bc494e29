package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kyma-incubator/kymactl/pkg/render"
)

// renderOptions are the flags of the render command.
type renderOptions struct {
	values        []string
	namespace     string
	charts        string
	chartLocation string
	chartVersion  string
	output        string
}

func newRenderCommand() *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render COMPONENT",
		Short: "Print the manifests that a component gets",
		Long: `render prints the manifests that the operator would compute for a component, in
the order of their installation and always in the same bytes for the same chart,
so that they can be read and compared. It needs no cluster.`,
		Example: `  kyma-operator render istio --namespace istio-system
  kyma-operator render monitoring --values values.yaml -o json
  kyma-operator render demo --chart-location oci://registry.example.com/charts/demo --chart-version 1.2.3`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("render wants one component, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0])
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.values, "values", nil, "File of values to merge over the chart's; - is standard input. May be given more than once; the last wins.")
	f.StringVar(&o.namespace, "namespace", "kyma-system", "Namespace of the release.")
	f.StringVar(&o.charts, "charts", "", "Directory of charts; empty: the built-in ones.")
	f.StringVar(&o.chartLocation, "chart-location", "", "Where the chart is: a path under --charts, or an oci:// or https:// address; empty: the chart named like the component.")
	f.StringVar(&o.chartVersion, "chart-version", "", "Version of a chart in a repository.")
	f.StringVarP(&o.output, "output", "o", "yaml", "Output format: yaml or json.")
	return cmd
}

func (o *renderOptions) run(cmd *cobra.Command, component string) error {
	if o.output != "yaml" && o.output != "json" {
		return usagef("--output must be yaml or json, not %q", o.output)
	}
	values, err := readValues(o.values, cmd.InOrStdin())
	if err != nil {
		return err
	}
	renderer, err := render.New(render.Options{ChartsDir: o.charts})
	if err != nil {
		return usagef("--charts: %w", err)
	}
	manifest, err := renderer.Render(cmd.Context(), render.Request{
		Component: component, ChartLocation: o.chartLocation, Version: o.chartVersion,
		Namespace: o.namespace, Values: values,
	})
	if err != nil {
		return fmt.Errorf("render %s: %w", component, err)
	}
	return printManifest(cmd.OutOrStdout(), manifest, o.output)
}

// readValues merges files of values, each over the ones before it.
func readValues(files []string, stdin io.Reader) (map[string]any, error) {
	var values map[string]any
	for _, file := range files {
		var raw []byte
		var err error
		if file == "-" {
			raw, err = io.ReadAll(stdin)
		} else {
			raw, err = os.ReadFile(file)
		}
		if err != nil {
			return nil, usagef("--values: %w", err)
		}
		var next map[string]any
		if err := yaml.Unmarshal(raw, &next); err != nil {
			return nil, usagef("--values: %s is not a YAML object: %w", file, err)
		}
		values = merge(values, next)
	}
	return values, nil
}

// merge puts over on top of base; objects are merged, all else is replaced.
func merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		below, isObject := out[key].(map[string]any)
		above, wasObject := value.(map[string]any)
		if isObject && wasObject {
			value = merge(below, above)
		}
		out[key] = value
	}
	return out
}

func printManifest(out io.Writer, manifest render.Manifest, format string) error {
	text := manifest.YAML
	if format == "json" {
		items, err := manifest.JSON()
		if err != nil {
			return fmt.Errorf("convert manifests: %w", err)
		}
		if items == nil {
			items = []json.RawMessage{}
		}
		list := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(list); err != nil {
			return fmt.Errorf("encode manifests: %w", err)
		}
		text = buffer.Bytes()
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("print manifests: %w", err)
	}
	return nil
}

// newRenderChildCommand is the other end of pkg/render: the operator starts
// itself with it for every render, so that a chart's code never runs in the
// operator.
func newRenderChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    render.ChildCommand,
		Hidden: true,
		Args:   noArguments,
		Run: func(cmd *cobra.Command, _ []string) {
			os.Exit(render.Child(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout()))
		},
	}
}
