package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	certificatesPath = "etc/ssl/certs/ca-certificates.crt"
	billPath         = "usr/share/doc/kyma-operator/sbom.cdx.json"
	// nonRoot is the user that images from scratch use by custom, so that it
	// collides with no user of the host.
	nonRoot = 65532
)

// entry is a file of the image, or a folder where its name ends in a slash.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// baseFiles are the same for every architecture and change seldom; they make a
// layer of their own. The operator needs names for its user, certificates for
// charts that come over HTTPS, and a place for temporary files.
func baseFiles() []entry {
	return []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", nonRoot)},
		{name: "etc/passwd", mode: 0o644, content: fmt.Appendf(nil,
			"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/tmp:/sbin/nologin\n", nonRoot, nonRoot)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: certificatesPath, mode: 0o644, content: certificates()},
		{name: "tmp/", mode: 0o1777},
	}
}

func operatorFiles(binary, bill []byte) []entry {
	files := []entry{{name: "kyma-operator", mode: 0o755, content: binary}}
	for folder := path.Dir(billPath); folder != "."; folder = path.Dir(folder) {
		files = append([]entry{{name: folder + "/", mode: 0o755}}, files...)
	}
	return append(files, entry{name: billPath, mode: 0o644, content: bill})
}

// certificates returns Mozilla's roots in the edition that go.mod pins. Roots
// with constraints that PEM cannot carry are left out: without the constraint
// they would be trusted for more than Mozilla trusts them for.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
	}
	return out.Bytes()
}

func layer(files []entry) (v1.Layer, error) {
	raw, err := tarOf(files)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	made, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("compress the layer: %w", err)
	}
	return made, nil
}

// tarOf writes the files in their order, owned by root and dated 1970, so that
// only their content makes a difference.
func tarOf(files []entry) ([]byte, error) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, file := range files {
		header := &tar.Header{
			Name: file.name, Mode: file.mode, Size: int64(len(file.content)),
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR, Typeflag: tar.TypeReg,
		}
		if strings.HasSuffix(file.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("add %s to the archive: %w", file.name, err)
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, fmt.Errorf("add %s to the archive: %w", file.name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("finish the archive: %w", err)
	}
	return out.Bytes(), nil
}
