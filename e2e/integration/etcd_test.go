package integration

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

// etcd is a client of etcd's JSON gateway: enough to read its history.
type etcd struct{ url string }

func etcdOf(c *controlplane.ControlPlane) etcd { return etcd{url: c.EtcdURL()} }

// revision is a number that the gateway writes as a string.
type revision int64

func (r *revision) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(bytes.Trim(data, `"`)), 10, 64)
	*r = revision(n)
	return err
}

type etcdEvent struct {
	Type     string `json:"type"` // empty for a put
	KV       keyValue
	Previous *keyValue `json:"prev_kv"`
}

type keyValue struct {
	Key      []byte   `json:"key"`
	Value    []byte   `json:"value"`
	Revision revision `json:"mod_revision"`
	// Version counts the writes to the key since it was made.
	Version revision `json:"version"`
}

type watchReply struct {
	Result struct {
		Events    []etcdEvent `json:"events"`
		Compacted revision    `json:"compact_revision"`
	} `json:"result"`
}

// errCompacted means that a part of the history is gone.
var errCompacted = errors.New("etcd has compacted the history")

func (e etcd) post(ctx context.Context, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("etcd answers %s to %s", response.Status, path)
	}
	return response, err
}

// revision is the newest one.
func (e etcd) revision(ctx context.Context) (revision, error) {
	response, err := e.post(ctx, "/v3/kv/range", map[string]any{"key": encode("none")})
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	var reply struct {
		Header struct {
			Revision revision `json:"revision"`
		} `json:"header"`
	}
	return reply.Header.Revision, json.NewDecoder(response.Body).Decode(&reply)
}

// compact forgets everything before the newest revision.
func (e etcd) compact(ctx context.Context) error {
	newest, err := e.revision(ctx)
	if err != nil {
		return err
	}
	response, err := e.post(ctx, "/v3/kv/compaction", map[string]any{"revision": newest})
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// watch calls see with each event under prefix from a revision on. It returns
// when ctx ends or the connection does.
func (e etcd) watch(ctx context.Context, prefix string, from revision, see func(etcdEvent)) error {
	end := prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
	response, err := e.post(ctx, "/v3/watch", map[string]any{"create_request": map[string]any{
		"key": encode(prefix), "range_end": encode(end), "start_revision": from, "prev_kv": true,
	}})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	decoder := json.NewDecoder(response.Body)
	for {
		var reply watchReply
		if err := decoder.Decode(&reply); err != nil {
			return err
		}
		if reply.Result.Compacted != 0 {
			return errCompacted
		}
		for _, event := range reply.Result.Events {
			see(event)
		}
	}
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
