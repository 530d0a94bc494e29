package controlplane

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Component names one of the three processes of a control plane.
type Component string

// The processes of a control plane, in the order in which they start.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
)

// Components returns the processes of a control plane in the order in which they start.
func Components() []Component {
	return []Component{Etcd, APIServer, ControllerManager}
}

// apiServerGOGC lets kube-apiserver's heap grow to five times its live size between two garbage collections, instead of
// two times. It costs memory and saves the 14 to 20 % of CPU time that the API server otherwise spends on collecting
// under a write load.
const apiServerGOGC = "400"

// procsShare is the part of the machine's cores that etcd and kube-controller-manager run their goroutines on each, at
// least one. Beside an API server that takes what it gets, more makes the Go runtime wake and park threads for nothing:
// 22 % of etcd's CPU time, and a fifth of the controller manager's, under a write load on two cores.
const procsShare = 4

// Options say how a control plane is started. Only Name is required.
type Options struct {
	// Name is unique below RunDir: a DNS label of at most 50 characters.
	Name string
	// RunDir is where Name's folder is made; default: .run in the repository.
	RunDir string
	// DisableQPSLimits switches priority and fairness and the in-flight limits of the API server off.
	DisableQPSLimits bool
	// AuditPolicy is the path of an audit policy; the log is then at AuditLog().
	AuditPolicy string
	// FeatureGates is a list like "A=true,B=false" for the API server and the controller manager.
	FeatureGates string
	// ExtraEtcdArgs, ExtraAPIServerArgs and ExtraControllerManagerArgs are flags like "--key=value", added to
	// the ones that kwokctl sets.
	ExtraEtcdArgs              []string
	ExtraAPIServerArgs         []string
	ExtraControllerManagerArgs []string
	// APIServerGOGC overrides the API server's GOGC; default 400.
	APIServerGOGC string
	// Binaries overrides where the programs are; default FindBinaries().
	Binaries *Binaries
	// StartTimeout bounds Start; default 2 minutes.
	StartTimeout time.Duration
	// Output receives what kwokctl prints; default: nowhere (it is kept for the error of a failed start).
	Output io.Writer
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)

func (o *Options) complete() error {
	if !validName.MatchString(o.Name) {
		return fmt.Errorf("control plane name %q: must be a DNS label of at most 50 characters", o.Name)
	}
	if o.RunDir == "" {
		root, err := RepositoryRoot()
		if err != nil {
			return err
		}
		o.RunDir = filepath.Join(root, ".run")
	}
	dir, err := filepath.Abs(o.RunDir)
	if err != nil {
		return fmt.Errorf("resolve run directory %s: %w", o.RunDir, err)
	}
	o.RunDir = dir
	if o.AuditPolicy != "" {
		if o.AuditPolicy, err = filepath.Abs(o.AuditPolicy); err != nil {
			return fmt.Errorf("resolve audit policy: %w", err)
		}
	}
	if o.APIServerGOGC == "" {
		o.APIServerGOGC = apiServerGOGC
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 2 * time.Minute
	}
	if o.Output == nil {
		o.Output = io.Discard
	}
	if o.Binaries == nil {
		found, err := FindBinaries()
		if err != nil {
			return err
		}
		o.Binaries = &found
	}
	return nil
}

// RepositoryRoot returns the folder of this module's go.mod: the nearest one above the working directory.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find repository: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module github.com/kyma-incubator/kymactl\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find repository: the working directory is not inside a clone of kymactl")
		}
		dir = parent
	}
}
