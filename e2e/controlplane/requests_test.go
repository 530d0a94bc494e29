package controlplane

import (
	"maps"
	"testing"
)

const metricsText = `# HELP apiserver_request_total requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="example.com",resource="things",scope="resource",subresource="status",verb="PUT",version="v1"} 7
apiserver_request_total{code="409",component="apiserver",dry_run="",group="example.com",resource="things",scope="resource",subresource="status",verb="PUT",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="example.com",resource="things",scope="resource",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="201",component="apiserver",dry_run="",group="example.com",resource="things",scope="resource",subresource="",verb="POST",version="v2"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="example.com",resource="things",scope="cluster",subresource="",verb="LIST",version="v1"} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="other.com",resource="things",scope="cluster",subresource="",verb="LIST",version="v1"} 9
`

func TestParseRequests(t *testing.T) {
	got, err := parseRequests([]byte(metricsText), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	want := Requests{
		{"things/status", "PUT", "200"}: 7,
		{"things/status", "PUT", "409"}: 2,
		{"things", "POST", "201"}:       4,
		{"things", "LIST", "200"}:       5,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if writes := got.Writes(); writes.Total() != 13 {
		t.Errorf("writes are %v", writes)
	}
	if since := got.Sub(Requests{{"things", "POST", "201"}: 1, {"things", "LIST", "200"}: 5}); since.Total() != 12 {
		t.Errorf("difference is %v", since)
	}
	if _, err := parseRequests([]byte("{"), ""); err == nil {
		t.Error("took something that is no metrics text")
	}
}
