package render

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// The parent and its child speak frames: the length of a JSON header in four
// bytes, the header, and then the bytes whose sizes the header gives. The parent
// sends one frame and the child answers with one.

type operation string

const (
	opRender operation = "render"
	opFetch  operation = "fetch"
)

const maxHeader = 8 * mib

type wireRequest struct {
	Op     operation `json:"op"`
	Limits Limits    `json:"limits"`

	// Of a render. The payload is either an archive or the files.
	Release     string          `json:"release,omitempty"`
	Namespace   string          `json:"namespace,omitempty"`
	KubeVersion string          `json:"kubeVersion,omitempty"`
	Values      json.RawMessage `json:"values,omitempty"`
	Archive     int64           `json:"archive,omitempty"`
	Files       []wireFile      `json:"files,omitempty"`

	// Of a fetch.
	Component string `json:"component,omitempty"`
	Location  string `json:"location,omitempty"`
	Version   string `json:"version,omitempty"`
	CA        []byte `json:"ca,omitempty"`
	PlainHTTP bool   `json:"plainHTTP,omitempty"`
}

type wireFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

type wireReply struct {
	Kind    Kind   `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
	Objects int    `json:"objects,omitempty"`
	Size    int64  `json:"size,omitempty"`
}

// frame puts a header and its payload together without copying the payload.
func frame(header any, payload ...[]byte) (io.Reader, error) {
	raw, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	if len(raw) > maxHeader {
		return nil, fmt.Errorf("encode header: %d bytes are too many", len(raw))
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(raw)))
	readers := []io.Reader{bytes.NewReader(append(head, raw...))}
	for _, p := range payload {
		readers = append(readers, bytes.NewReader(p))
	}
	return io.MultiReader(readers...), nil
}

func readHeader(in io.Reader, header any) error {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxHeader {
		return fmt.Errorf("read header: %d bytes are too many", size)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(in, raw); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	if err := json.Unmarshal(raw, header); err != nil {
		return fmt.Errorf("decode header: %w", err)
	}
	return nil
}

func readPayload(in io.Reader, size, limit int64) ([]byte, error) {
	if size < 0 || size > limit {
		return nil, fmt.Errorf("read payload: %d bytes, at most %d are allowed", size, limit)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	return data, nil
}
