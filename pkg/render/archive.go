package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"
)

// chartFile is one file of a chart, named relative to the chart with slashes.
type chartFile struct {
	name string
	data []byte
}

// unpacker turns an archive, or the files of a directory, into plain files with
// every packed sub-chart unpacked in place, all within one budget. Helm's own
// loader gives each nested archive a budget of its own and follows what a chart
// nests without end; after the unpacker it meets no archive any more.
type unpacker struct {
	limits Limits
	count  int
	bytes  int64
}

// files unpacks the sub-charts among the files of a directory.
func (u *unpacker) files(in []chartFile) ([]chartFile, error) {
	seen := make(map[string]bool, len(in))
	for _, f := range in {
		name, err := safeName(f.name)
		if err != nil {
			return nil, err
		}
		if name != f.name || seen[name] {
			return nil, failure(KindInvalid, "the chart has no clear file named %q", f.name)
		}
		seen[name] = true
		if err := u.take(name, int64(len(f.data))); err != nil {
			return nil, err
		}
	}
	return u.expand(in, 0)
}

// archive unpacks a .tgz.
func (u *unpacker) archive(data []byte, depth int) ([]chartFile, error) {
	if depth > u.limits.Depth {
		return nil, failure(KindTooLarge, "sub-charts nest deeper than %d", u.limits.Depth)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, failure(KindInvalid, "the chart is not a gzip archive").because(err)
	}
	// Headers, padding and directories are not files but are unpacked as well.
	stream := &io.LimitedReader{R: zipped, N: u.limits.UnpackedBytes + int64(u.limits.Files)*2048}
	archive := tar.NewReader(stream)
	var files []chartFile
	seen := map[string]bool{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) && stream.N > 0 {
			break
		}
		if stream.N <= 0 {
			return nil, u.tooLarge()
		}
		if err != nil {
			return nil, failure(KindInvalid, "the chart is not a whole tar archive").because(err)
		}
		f, err := u.entry(header, archive)
		if err != nil {
			return nil, err
		}
		if f.name == "" {
			continue
		}
		if seen[f.name] {
			return nil, failure(KindInvalid, "the archive holds %q twice", f.name)
		}
		seen[f.name] = true
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, failure(KindInvalid, "the archive is empty")
	}
	return u.expand(files, depth)
}

// entry reads one entry of an archive; a directory gives a file without a name.
func (u *unpacker) entry(header *tar.Header, in io.Reader) (chartFile, error) {
	switch header.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return chartFile{}, u.take(header.Name, 0)
	case tar.TypeSymlink, tar.TypeLink:
		return chartFile{}, failure(KindRefused, "the archive holds a link, %q", header.Name)
	default:
		return chartFile{}, failure(KindRefused, "the archive holds something that is not a file, %q", header.Name)
	}
	// An archive holds one directory named like the chart.
	if path.IsAbs(header.Name) {
		return chartFile{}, failure(KindRefused, "the archive holds an absolute path, %q", header.Name)
	}
	top, rest, nested := strings.Cut(header.Name, "/")
	if !nested || top == ".." {
		return chartFile{}, failure(KindRefused, "the archive holds a file outside the chart's directory, %q", header.Name)
	}
	name, err := safeName(rest)
	if err != nil {
		return chartFile{}, err
	}
	if err := u.take(name, header.Size); err != nil {
		return chartFile{}, err
	}
	data, err := io.ReadAll(io.LimitReader(in, header.Size))
	if err != nil {
		return chartFile{}, failure(KindInvalid, "the chart is not a whole tar archive").because(err)
	}
	return chartFile{name: name, data: data}, nil
}

// safeName refuses whatever a file system could take for a place outside.
func safeName(name string) (string, error) {
	cleaned := path.Clean(name)
	switch {
	case len(name) > 1024:
		return "", failure(KindTooLarge, "the chart has a file name of %d bytes", len(name))
	case name == "" || cleaned == ".", path.IsAbs(cleaned), cleaned == "..", strings.HasPrefix(cleaned, "../"):
		return "", failure(KindRefused, "the chart holds a path that leads outside, %q", name)
	case strings.ContainsAny(name, "\\\x00"), len(name) > 1 && name[1] == ':':
		return "", failure(KindRefused, "the chart holds a path that is not portable, %q", name)
	}
	return cleaned, nil
}

// take accounts for one file.
func (u *unpacker) take(name string, bytes int64) error {
	u.count++
	u.bytes += bytes
	switch {
	case u.count > u.limits.Files:
		return failure(KindTooLarge, "the chart has more than %d files", u.limits.Files)
	case bytes > u.limits.FileBytes:
		return failure(KindTooLarge, "%s is larger than %s", name, size(u.limits.FileBytes))
	case u.bytes > u.limits.UnpackedBytes:
		return u.tooLarge()
	}
	return nil
}

func (u *unpacker) tooLarge() error {
	return failure(KindTooLarge, "the unpacked chart is larger than %s", size(u.limits.UnpackedBytes))
}

// expand replaces charts/<name>.tgz, at every level, by the files in it.
func (u *unpacker) expand(files []chartFile, depth int) ([]chartFile, error) {
	if depth > u.limits.Depth {
		return nil, failure(KindTooLarge, "sub-charts nest deeper than %d", u.limits.Depth)
	}
	var out []chartFile
	nested := map[string][]chartFile{}
	var order []string // of nested, so that the outcome has one order
	for _, f := range files {
		rest, sub := strings.CutPrefix(f.name, "charts/")
		if !sub {
			out = append(out, f)
			continue
		}
		dir, inner, within := strings.Cut(rest, "/")
		switch {
		case within:
			if _, ok := nested[dir]; !ok {
				order = append(order, dir)
			}
			nested[dir] = append(nested[dir], chartFile{name: inner, data: f.data})
		case path.Ext(dir) == ".tgz" && !strings.HasPrefix(dir, "_") && !strings.HasPrefix(dir, "."):
			unpacked, err := u.archive(f.data, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, prefixed("charts/"+strings.TrimSuffix(dir, ".tgz")+".unpacked/", unpacked)...)
		default:
			out = append(out, f) // a README in charts/ is no chart
		}
	}
	for _, dir := range order {
		expanded, err := u.expand(nested[dir], depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, prefixed("charts/"+dir+"/", expanded)...)
	}
	return out, nil
}

func prefixed(prefix string, files []chartFile) []chartFile {
	for i := range files {
		files[i].name = prefix + files[i].name
	}
	return files
}
