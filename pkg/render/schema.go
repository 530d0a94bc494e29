package render

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
)

const schemaURL = "chart:///values.schema.json"

// sealed refuses every schema that is not in the chart's own file. Helm's
// loader would read files and web addresses for a $ref.
type sealed struct{}

var errSealed = errors.New("a schema may only refer to itself")

func (sealed) Load(string) (any, error) { return nil, errSealed }

// checkSchema validates the values of a chart and of its sub-charts.
func checkSchema(c *chart.Chart, values map[string]any) error {
	if c.Schema != nil {
		if err := validate(values, c.Schema); err != nil {
			return failure(KindInvalid, "the values do not meet the schema of %s: %v", c.Name(), err).because(err)
		}
	}
	for _, sub := range c.Dependencies() {
		raw, ok := values[sub.Name()]
		if !ok || raw == nil {
			continue
		}
		table, ok := raw.(map[string]any)
		if !ok {
			return failure(KindInvalid, "the values of the sub-chart %s are not an object", sub.Name())
		}
		if err := checkSchema(sub, table); err != nil {
			return err
		}
	}
	return nil
}

func validate(values map[string]any, raw []byte) (err error) {
	defer func() { // the compiler panics on some schemas
		if r := recover(); r != nil {
			err = fmt.Errorf("compile schema: %v", r)
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("decode schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(sealed{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	schema, err := compiler.Compile(schemaURL)
	if err != nil {
		return fmt.Errorf("compile schema: %w", err)
	}
	return schema.Validate(values)
}
