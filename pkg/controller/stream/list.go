package stream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// listBuffer is how much of a list is read at once: HTTP/2 answers each read of
// 4 KB or more with a packet of its own.
const listBuffer = 256 << 10

// listStart is how the API server begins a list of the inventory's objects.
var listStart = []byte(`{"apiVersion":"` + v1alpha1.GroupVersion.String() + `","items":[`)

// ReadList reads a list object by object as it arrives, so that of each only
// what keep retains needs memory. The objects are those of client-go's decoder
// but for managed fields, which may be empty. An error leaves the list
// unfinished.
func ReadList[T any](r io.Reader, keep func(*T) error) (metav1.ListMeta, error) {
	l := list{Reader: bufio.NewReaderSize(r, listBuffer)}
	if start, _ := l.Peek(len(listStart)); !bytes.Equal(start, listStart) {
		return readWhole(l, keep)
	}
	_, _ = l.Discard(len(listStart))
	for {
		data, err := l.object()
		if err != nil {
			return metav1.ListMeta{}, err
		}
		if data == nil {
			return l.meta()
		}
		obj := new(T)
		if err := json.UnmarshalCaseSensitivePreserveInts(withoutManagedFields(data), obj); err != nil {
			return metav1.ListMeta{}, fmt.Errorf("decode object of a list: %w", err)
		}
		if err := keep(obj); err != nil {
			return metav1.ListMeta{}, err
		}
	}
}

// readWhole reads a list of any other form.
func readWhole[T any](r io.Reader, keep func(*T) error) (metav1.ListMeta, error) {
	var whole struct {
		Kind     string          `json:"kind"`
		Metadata metav1.ListMeta `json:"metadata"`
		Items    []T             `json:"items"`
	}
	data, err := io.ReadAll(r)
	if err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(data, &whole)
	}
	if err != nil {
		return metav1.ListMeta{}, fmt.Errorf("decode list: %w", err)
	}
	if whole.Kind == "Status" {
		return metav1.ListMeta{}, fmt.Errorf("read list: got %s", bytes.TrimSpace(data))
	}
	for i := range whole.Items {
		if err := keep(&whole.Items[i]); err != nil {
			return metav1.ListMeta{}, err
		}
	}
	return whole.Metadata, nil
}

// list is what is left of one.
type list struct {
	*bufio.Reader
	buffer []byte
}

// object returns the bytes of the next object, which last until the one after,
// or nil at the end of the items.
func (l *list) object() ([]byte, error) {
	for {
		c, err := l.ReadByte()
		switch {
		case err != nil:
			return nil, fmt.Errorf("read list: %w", unexpected(err))
		case c == ']':
			return nil, nil
		case c == '{':
			return l.rest(append(l.buffer[:0], c))
		case !bytes.ContainsRune([]byte(", \t\r\n"), rune(c)):
			return nil, fmt.Errorf("read list: %q between its objects", c)
		}
	}
}

// rest reads the rest of an object behind its first bracket.
func (l *list) rest(object []byte) ([]byte, error) {
	depth, quoted, escaped := 1, false, false
	for {
		// What is there already, at least one byte.
		chunk, err := l.Peek(max(l.Buffered(), 1))
		if err != nil {
			return nil, fmt.Errorf("read list: %w", unexpected(err))
		}
		end := 0
		for end < len(chunk) && depth > 0 {
			switch c := chunk[end]; {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{':
				depth++
			case c == '}':
				depth--
			}
			end++
		}
		object = append(object, chunk[:end]...)
		_, _ = l.Discard(end)
		if depth == 0 {
			l.buffer = object
			return object, nil
		}
	}
}

// meta reads what follows the items.
func (l *list) meta() (metav1.ListMeta, error) {
	rest, err := io.ReadAll(l)
	if err != nil {
		return metav1.ListMeta{}, fmt.Errorf("read list: %w", err)
	}
	var end struct {
		Metadata metav1.ListMeta `json:"metadata"`
	}
	rest = bytes.TrimPrefix(bytes.TrimSpace(rest), []byte(","))
	if err := json.UnmarshalCaseSensitivePreserveInts(append([]byte("{"), rest...), &end); err != nil {
		return end.Metadata, fmt.Errorf("decode end of a list: %w", err)
	}
	return end.Metadata, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
