package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/getter"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"sigs.k8s.io/yaml"
)

// fetchChart gets an archive, in the child: a repository's index and manifests
// are foreign input as much as its charts.
func fetchChart(ctx context.Context, req *wireRequest) ([]byte, error) {
	g, err := newGuard(ctx, req)
	if err != nil {
		return nil, err
	}
	var archive []byte
	if registry.IsOCI(req.Location) {
		archive, err = fetchOCI(g, req)
	} else {
		archive, err = fetchHTTP(g, req)
	}
	if err != nil {
		return nil, g.explain(err, req)
	}
	if int64(len(archive)) > req.Limits.ArchiveBytes {
		return nil, g.explain(errTooLarge, req)
	}
	return archive, nil
}

func fetchOCI(g *guard, req *wireRequest) ([]byte, error) {
	ref := strings.TrimPrefix(req.Location, registry.OCIScheme+"://")
	if last := ref[strings.LastIndex(ref, "/")+1:]; !strings.ContainsAny(last, ":@") {
		ref += ":" + req.Version
	}
	http := &http.Client{Transport: g}
	opts := []registry.ClientOption{
		registry.ClientOptHTTPClient(http),
		// Anonymous: without this helm looks for credentials in files.
		registry.ClientOptAuthorizer(auth.Client{Client: http}),
	}
	if req.PlainHTTP {
		opts = append(opts, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make registry client: %w", err)
	}
	g.allow(req.Limits.ArchiveBytes + 2*maxHeader) // two manifests and the archive
	result, err := client.Pull(ref)
	if err != nil {
		return nil, fmt.Errorf("pull chart: %w", err)
	}
	return result.Chart.Data, nil
}

func fetchHTTP(g *guard, req *wireRequest) ([]byte, error) {
	if strings.HasSuffix(req.Location, ".tgz") {
		return g.get(req.Location, req.Limits.ArchiveBytes)
	}
	indexURL, err := repo.ResolveReferenceURL(req.Location, "index.yaml")
	if err != nil {
		return nil, fmt.Errorf("find index: %w", err)
	}
	raw, err := g.get(indexURL, req.Limits.IndexBytes)
	if err != nil {
		return nil, fmt.Errorf("get index: %w", err)
	}
	entry, err := choose(raw, req.Component, req.Version)
	if err != nil {
		return nil, err
	}
	chartURL, err := repo.ResolveReferenceURL(req.Location, entry.URLs[0])
	if err != nil {
		return nil, fmt.Errorf("find chart: %w", err)
	}
	archive, err := g.get(chartURL, req.Limits.ArchiveBytes)
	if err != nil {
		return nil, fmt.Errorf("get chart: %w", err)
	}
	if want := strings.TrimPrefix(entry.Digest, "sha256:"); want != "" && want != hexDigest(archive) {
		return nil, failure(KindFetch, "the chart is not the one that the repository's index promises")
	}
	return archive, nil
}

// choose finds a chart in an index.
func choose(raw []byte, name, version string) (*repo.ChartVersion, error) {
	index := &repo.IndexFile{}
	if err := yaml.Unmarshal(raw, index); err != nil {
		return nil, failure(KindFetch, "the repository's index is not valid").because(err)
	}
	versions := slices.DeleteFunc(index.Entries[name], func(v *repo.ChartVersion) bool {
		return v == nil || v.Metadata == nil || len(v.URLs) == 0
	})
	if len(versions) == 0 {
		return nil, failure(KindNotFound, "the repository has no chart %s", name)
	}
	index.Entries = map[string]repo.ChartVersions{name: versions}
	index.SortEntries()
	entry, err := index.Get(name, version)
	if err != nil {
		return nil, failure(KindNotFound, "the repository has no chart %s in version %s", name, version).because(err)
	}
	return entry, nil
}

// get is one request through helm's getter, which reads what comes without a
// bound of its own.
func (g *guard) get(url string, limit int64) ([]byte, error) {
	g.allow(limit)
	// Helm's getter takes only the standard transport, so the guard takes the
	// place of its schemes.
	transport := &http.Transport{}
	transport.RegisterProtocol("https", g)
	transport.RegisterProtocol("http", g)
	client, err := getter.NewHTTPGetter(getter.WithTransport(transport), getter.WithURL(url))
	if err != nil {
		return nil, fmt.Errorf("make getter: %w", err)
	}
	var body *bytes.Buffer
	if body, err = client.Get(url); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// explain says in stable words why a fetch failed.
func (g *guard) explain(err error, req *wireRequest) error {
	var own *Error
	status := g.status.Load()
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errTooLarge):
		return failure(KindTooLarge, "the repository sends more than %s", size(g.allowed)).because(err)
	case errors.Is(err, errPlainHTTP):
		return failure(KindRefused, "the repository leads to an address that is not https").because(err)
	case errors.Is(err, errTooMany), status/100 == 3:
		return failure(KindFetch, "the repository redirects without end").because(err)
	case isCertificate(err):
		return failure(KindFetch, "the repository's certificate is not trusted").because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return failure(KindFetch, "the chart repository does not answer within %s", req.Limits.FetchTimeout).because(err)
	case status == http.StatusNotFound || errors.Is(err, errdef.ErrNotFound):
		return failure(KindNotFound, "the repository has no chart %s", strings.TrimSpace(req.Component+" "+req.Version)).because(err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return failure(KindFetch, "the repository refuses access").because(err)
	case status >= 400:
		return failure(KindFetch, "the repository answers with status %d", status).because(err)
	case status == 0:
		return failure(KindFetch, "the repository cannot be reached").because(err)
	default:
		return failure(KindFetch, "the repository's answer is not a chart").because(err)
	}
}
