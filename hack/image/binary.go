package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// revision is what a build is called, and the time that everything in it bears.
type revision struct {
	version string
	commit  string
	time    time.Time
}

// readRevision asks git. A tree without git (a source archive) builds as well:
// it is then version "dev" of the year 1970, unless SOURCE_DATE_EPOCH says more.
func readRevision(ctx context.Context, source, version string) (revision, error) {
	rev := revision{version: version, commit: "unknown", time: time.Unix(0, 0).UTC()}
	if commit, err := git(ctx, source, "rev-parse", "HEAD"); err == nil {
		rev.commit = commit
		seconds, err := git(ctx, source, "log", "-1", "--format=%ct")
		if err != nil {
			return rev, err
		}
		if rev.time, err = epoch(seconds); err != nil {
			return rev, err
		}
	}
	if seconds := os.Getenv("SOURCE_DATE_EPOCH"); seconds != "" {
		var err error
		if rev.time, err = epoch(seconds); err != nil {
			return rev, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
	}
	if rev.version == "" {
		rev.version = "dev"
		if tag, err := git(ctx, source, "describe", "--tags", "--always", "--dirty"); err == nil {
			rev.version = tag
		}
	}
	return rev, nil
}

func epoch(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("parse seconds since 1970: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func parsePlatform(name string) (*v1.Platform, error) {
	system, arch, ok := strings.Cut(name, "/")
	if !ok || system != "linux" || arch == "" || strings.Contains(arch, "/") {
		return nil, fmt.Errorf("%q is not linux/ARCHITECTURE", name)
	}
	return &v1.Platform{OS: system, Architecture: arch}, nil
}

// buildFlags holds what keeps a build the same on every machine: no paths
// (-trimpath), no state of the git tree, no build id, no C library. Version and
// revision are what --version and kyma_operator_build_info show.
func buildFlags(rev revision) []string {
	link := []string{
		"-s", "-w", "-buildid=",
		"-X", versionPackage + ".version=" + rev.version,
		"-X", versionPackage + ".revision=" + rev.commit,
	}
	return []string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", strings.Join(link, " ")}
}

// versionPackage holds the variables version and revision.
const versionPackage = "github.com/kyma-incubator/kymactl/cmd/kyma-operator/app"

func compile(ctx context.Context, source, binary string, platform *v1.Platform, rev revision) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return fmt.Errorf("path of the binary: %w", err)
	}
	args := append(buildFlags(rev), "-o", binary, "./cmd/kyma-operator")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off",
		"GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", errors.Join(err, errors.New(strings.TrimSpace(stderr.String()))))
	}
	return nil
}
