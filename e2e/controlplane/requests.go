package controlplane

import (
	"bytes"
	"context"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// Request says what the API server was asked to do.
type Request struct {
	// Resource is the plural, with the subresource where there is one: kymas, kymas/status.
	Resource string
	// Verb is the API server's word in upper case, like POST, PUT, PATCH, APPLY, DELETE, LIST, WATCH.
	Verb string
	// Code is the HTTP status.
	Code string
}

// Requests counts what the API server was asked.
type Requests map[Request]int

// Requests reads from the API server's own metrics how often it was asked for objects of an API group since it started.
func (c *ControlPlane) Requests(ctx context.Context, group string) (Requests, error) {
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	text, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read metrics of the API server: %w", err)
	}
	return parseRequests(text, group)
}

func parseRequests(text []byte, group string) (Requests, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse metrics of the API server: %w", err)
	}
	requests := Requests{}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		label := labels(metric)
		if label["group"] != group {
			continue
		}
		resource := label["resource"]
		if sub := label["subresource"]; sub != "" {
			resource += "/" + sub
		}
		requests[Request{Resource: resource, Verb: label["verb"], Code: label["code"]}] += int(metric.GetCounter().GetValue())
	}
	return requests, nil
}

func labels(metric *dto.Metric) map[string]string {
	labels := make(map[string]string, len(metric.GetLabel()))
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

// Sub returns what came in since an earlier reading.
func (r Requests) Sub(earlier Requests) Requests {
	difference := Requests{}
	for request, count := range r {
		if count -= earlier[request]; count != 0 {
			difference[request] = count
		}
	}
	return difference
}

// Writes returns the mutating requests among them.
func (r Requests) Writes() Requests {
	writes := Requests{}
	for request, count := range r {
		switch request.Verb {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
			writes[request] = count
		}
	}
	return writes
}

// Total is the number of all requests.
func (r Requests) Total() int {
	total := 0
	for _, count := range r {
		total += count
	}
	return total
}
