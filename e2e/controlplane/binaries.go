package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Binaries are the absolute paths of the programs that a control plane consists of.
type Binaries struct {
	Etcd, APIServer, ControllerManager, Kwokctl string
}

// ErrNoBinaries means that a program is missing; the message names the command that builds it.
var ErrNoBinaries = errors.New("the control plane is not built: run `make control-plane` once " +
	"(it takes some minutes the first time)")

// BinarySource says where one program may come from.
type BinarySource struct {
	Name string
	// Env is the environment variable that names an existing program.
	Env string
}

// BinarySources lists the programs in the order in which they are built.
func BinarySources() []BinarySource {
	return []BinarySource{
		{string(Etcd), "ETCD_BINARY"},
		{string(APIServer), "KUBE_APISERVER_BINARY"},
		{string(ControllerManager), "KUBE_CONTROLLER_MANAGER_BINARY"},
		{"kwokctl", "KWOKCTL_BINARY"},
	}
}

// External returns the program that the environment names, either by its own variable or by KUBEBUILDER_ASSETS.
// It returns "" where neither applies, and an error where a variable names something that is not there.
func (s BinarySource) External() (string, error) {
	if path := os.Getenv(s.Env); path != "" {
		if err := executable(path); err != nil {
			return "", fmt.Errorf("%s: %w", s.Env, err)
		}
		return filepath.Abs(path)
	}
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		// The folder need not hold all of them: setup-envtest, for one, brings no kube-controller-manager.
		if path := filepath.Join(dir, s.Name); executable(path) == nil {
			return filepath.Abs(path)
		}
	}
	return "", nil
}

// FindBinaries looks for each program in its environment variable, then in KUBEBUILDER_ASSETS, then in the
// repository's bin/control-plane, which `make control-plane` fills.
func FindBinaries() (Binaries, error) {
	paths := map[string]string{}
	for _, source := range BinarySources() {
		path, err := source.External()
		if err != nil {
			return Binaries{}, err
		}
		if path == "" {
			root, err := RepositoryRoot()
			if err != nil {
				return Binaries{}, err
			}
			path = filepath.Join(root, "bin", "control-plane", source.Name)
			if err := executable(path); err != nil {
				return Binaries{}, fmt.Errorf("%w (%w)", ErrNoBinaries, err)
			}
		}
		paths[source.Name] = path
	}
	return Binaries{
		Etcd:              paths[string(Etcd)],
		APIServer:         paths[string(APIServer)],
		ControllerManager: paths[string(ControllerManager)],
		Kwokctl:           paths["kwokctl"],
	}, nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}
