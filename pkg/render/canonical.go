package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

const (
	separator = "---\n"
	notes     = "NOTES.txt"
)

// head is what every document must have.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// canonical splits what the templates gave into documents, drops notes, hooks
// and tests, puts the rest into install order behind the chart's CRDs, and writes
// each document with sorted keys. Equal manifests give equal bytes.
func canonical(c *chart.Chart, rendered map[string]string, limit int64) (int, []byte, error) {
	var total int64
	for name, text := range rendered {
		if path.Base(name) == notes {
			delete(rendered, name)
			continue
		}
		total += int64(len(text))
	}
	if total > limit {
		return 0, nil, failure(KindTooLarge, "the output is larger than %s", size(limit))
	}
	// Hooks come back apart, tests among them, and are left.
	_, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return 0, nil, failure(KindOutput, "%v", err).because(err)
	}
	w := &writer{limit: limit}
	crds := c.CRDObjects()
	slices.SortFunc(crds, func(a, b chart.CRD) int { return strings.Compare(a.Filename, b.Filename) })
	for _, crd := range crds {
		for _, doc := range splitDocuments(crd.File.Data) {
			if err := w.add(crd.Filename, doc); err != nil {
				return 0, nil, err
			}
		}
	}
	for _, m := range manifests {
		if err := w.add(m.Name, []byte(m.Content)); err != nil {
			return 0, nil, err
		}
	}
	return w.count, w.out.Bytes(), nil
}

type writer struct {
	out   bytes.Buffer
	count int
	limit int64
}

func (w *writer) add(file string, doc []byte) error {
	raw, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return failure(KindOutput, "%s gives invalid YAML: %v", file, err).because(err)
	}
	if string(raw) == "null" { // nothing but comments
		return nil
	}
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		return failure(KindOutput, "%s gives something that is not a Kubernetes object", file).because(err)
	}
	if h.APIVersion == "" || h.Kind == "" {
		return failure(KindOutput, "%s gives an object without apiVersion or kind", file)
	}
	if h.Metadata.Name == "" && !strings.HasSuffix(h.Kind, "List") {
		return failure(KindOutput, "%s gives a %s without a name", file, h.Kind)
	}
	text, err := yaml.JSONToYAML(raw)
	if err != nil {
		return failure(KindOutput, "%s gives invalid YAML", file).because(err)
	}
	if int64(w.out.Len()+len(separator)+len(text)) > w.limit {
		return failure(KindTooLarge, "the output is larger than %s", size(w.limit))
	}
	w.out.WriteString(separator)
	w.out.Write(text)
	w.count++
	return nil
}

// splitDocuments cuts a stream in the order in which it stands.
func splitDocuments(stream []byte) [][]byte {
	parts := releaseutil.SplitManifests(string(stream))
	keys := make([]string, 0, len(parts))
	for key := range parts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { // manifest-<number>
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	docs := make([][]byte, 0, len(keys))
	for _, key := range keys {
		docs = append(docs, []byte(parts[key]))
	}
	return docs
}

// JSON returns the documents one by one.
func (m Manifest) JSON() ([]json.RawMessage, error) {
	var docs []json.RawMessage
	for doc := range bytes.SplitSeq(m.YAML, []byte("\n"+separator)) {
		doc = bytes.TrimPrefix(doc, []byte(separator))
		if len(doc) == 0 {
			continue
		}
		raw, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, fmt.Errorf("convert document %d: %w", len(docs), err)
		}
		docs = append(docs, raw)
	}
	return docs, nil
}
