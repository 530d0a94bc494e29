package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// auditLog reads the API server's audit log from where it was last told to.
type auditLog struct {
	path   string
	offset int64
}

// skip leaves out everything up to now.
func (a *auditLog) skip(t testing.TB) {
	t.Helper()
	info, err := os.Stat(a.path)
	if err != nil {
		t.Fatal(err)
	}
	a.offset = info.Size()
}

// requests returns those since the last skip that match.
func (a *auditLog) requests(match func(*auditv1.Event) bool) ([]auditv1.Event, error) {
	content, err := os.ReadFile(a.path)
	if err != nil {
		return nil, err
	}
	var found []auditv1.Event
	// What follows the last line break is still being written.
	lines := bytes.Split(content[a.offset:], []byte("\n"))
	for _, line := range lines[:len(lines)-1] {
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, err
		}
		if match(&event) {
			found = append(found, event)
		}
	}
	return found, nil
}

// refused says whether the API server answered with 403.
func refused(event *auditv1.Event) bool {
	return event.ResponseStatus != nil && event.ResponseStatus.Code == 403
}

// watched says whether a watch of the resource began.
func watched(resource string) func(*auditv1.Event) bool {
	return func(event *auditv1.Event) bool {
		return event.Verb == "watch" && event.ObjectRef != nil && event.ObjectRef.Resource == resource &&
			event.ResponseStatus != nil && event.ResponseStatus.Code == 200
	}
}
