package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"sigs.k8s.io/yaml"
)

// kwokConfig is the part of kwok's KwokctlConfiguration (config.kwok.x-k8s.io/v1alpha1) that is used here, to write
// one for `create cluster` and to read back how kwokctl starts each component.
type kwokConfig struct {
	APIVersion        string           `json:"apiVersion"`
	Kind              string           `json:"kind"`
	Options           map[string]any   `json:"options,omitempty"`
	Components        []kwokComponent  `json:"components,omitempty"`
	ComponentsPatches []componentPatch `json:"componentsPatches,omitempty"`
}

type kwokComponent struct {
	Name    string    `json:"name"`
	Binary  string    `json:"binary"`
	WorkDir string    `json:"workDir"`
	Args    []string  `json:"args"`
	Envs    []kwokEnv `json:"envs"`
}

type componentPatch struct {
	Name      string    `json:"name"`
	ExtraArgs []kwokArg `json:"extraArgs,omitempty"`
	ExtraEnvs []kwokEnv `json:"extraEnvs,omitempty"`
}

type kwokArg struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type kwokEnv struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newKwokConfig(o Options, p ports, tokensFile string) (kwokConfig, error) {
	options := map[string]any{
		"runtime":                     "binary",
		"bindAddress":                 "127.0.0.1",
		"components":                  Components(),
		"etcdBinary":                  o.Binaries.Etcd,
		"kubeApiserverBinary":         o.Binaries.APIServer,
		"kubeControllerManagerBinary": o.Binaries.ControllerManager,
		"etcdPort":                    p.etcd,
		"etcdPeerPort":                p.etcdPeer,
		"kubeApiserverPort":           p.apiServer,
		"kubeControllerManagerPort":   p.controllerManager,
		"kubeAuthorization":           true,
		"kubeAdmission":               true,
		"disableQPSLimits":            o.DisableQPSLimits,
		"kubeAuditPolicy":             o.AuditPolicy,
		"kubeFeatureGates":            o.FeatureGates,
	}
	share := []kwokEnv{{Name: "GOMAXPROCS", Value: strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/procsShare))}}
	patches := []componentPatch{
		{Name: string(Etcd), ExtraEnvs: share},
		{Name: string(APIServer), ExtraArgs: []kwokArg{{Key: "token-auth-file", Value: tokensFile}}, ExtraEnvs: []kwokEnv{{Name: "GOGC", Value: o.APIServerGOGC}}},
		// There is one controller manager; with an election its restart would wait for the old lease to run out.
		{Name: string(ControllerManager), ExtraArgs: []kwokArg{{Key: "leader-elect", Value: "false"}}, ExtraEnvs: share},
	}
	for i, args := range [][]string{o.ExtraEtcdArgs, o.ExtraAPIServerArgs, o.ExtraControllerManagerArgs} {
		for _, arg := range args {
			key, value, found := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			if !found {
				return kwokConfig{}, fmt.Errorf("extra argument %q of %s: must have the form --key=value", arg, patches[i].Name)
			}
			patches[i].ExtraArgs = append(patches[i].ExtraArgs, kwokArg{Key: key, Value: value})
		}
	}
	return kwokConfig{
		APIVersion:        "config.kwok.x-k8s.io/v1alpha1",
		Kind:              "KwokctlConfiguration",
		Options:           options,
		ComponentsPatches: patches,
	}, nil
}

// kwokctlEnv points kwokctl at this control plane's folder and away from the user's own settings.
func (c *ControlPlane) kwokctlEnv() []string {
	env := []string{"KWOK_WORKDIR=" + c.path("kwok")}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KWOK_") && !strings.HasPrefix(e, "KUBECONFIG=") && !strings.HasPrefix(e, "PATH=") {
			env = append(env, e)
		}
	}
	return append(env, "PATH="+c.path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// writeKubectlStandIn keeps kwokctl from downloading a kubectl where the machine has none. All it does with it during
// a start is to ask whether the server answers, which waitReady does better.
func (c *ControlPlane) writeKubectlStandIn() error {
	if err := os.MkdirAll(c.path("bin"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.path("bin", "kubectl"), []byte("#!/bin/sh\nexit 0\n"), 0o755)
}

// create runs `kwokctl create cluster`, which makes the certificates and starts the three processes.
func (c *ControlPlane) create(ctx context.Context, p ports) error {
	token, err := c.writeToken()
	if err != nil {
		return err
	}
	config, err := newKwokConfig(c.opts, p, c.tokensFile())
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode kwokctl configuration: %w", err)
	}
	file := c.path("kwokctl.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	if err := c.kwokctl(ctx, "--config", file, "create", "cluster", "--kubeconfig", c.Kubeconfig); err != nil {
		return err
	}
	return c.useToken(token)
}

func (c *ControlPlane) kwokctl(ctx context.Context, args ...string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, c.opts.Binaries.Kwokctl, append([]string{"--name", c.Name}, args...)...)
	cmd.Env = c.kwokctlEnv()
	cmd.Dir = c.path()
	cmd.Stdout = io.MultiWriter(&output, c.opts.Output)
	cmd.Stderr = cmd.Stdout
	// Ctrl-C in the terminal reaches the owner alone, who then cancels ctx.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run kwokctl: %w", err)
	}
	if err := writePID(c.createPIDFile(), cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("write pid of kwokctl: %w", err)
	}
	err := cmd.Wait()
	_ = os.Remove(c.createPIDFile())
	if ctx.Err() != nil {
		return fmt.Errorf("run kwokctl: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("run kwokctl %s: %w\n%s", strings.Join(args, " "), err, output.String())
	}
	return nil
}

// clusterDir is where kwokctl keeps the control plane: pids/, logs/, pki/, etcd/ and kwok.yaml.
func (c *ControlPlane) clusterDir() string {
	return filepath.Join(c.path("kwok"), "clusters", c.Name)
}

// binDir holds kwokctl's links to the programs, by which it starts them.
func (c *ControlPlane) binDir() string {
	return filepath.Join(c.clusterDir(), "bin")
}

// readKwokConfig returns what kwokctl recorded about its components.
func (c *ControlPlane) readKwokConfig() (kwokConfig, error) {
	var config kwokConfig
	data, err := os.ReadFile(filepath.Join(c.clusterDir(), "kwok.yaml"))
	if err != nil {
		return config, fmt.Errorf("read control plane %s: %w", c.Name, err)
	}
	// The file holds several documents; the first one is the configuration.
	first, _, _ := bytes.Cut(data, []byte("\n---"))
	if err := yaml.Unmarshal(first, &config); err != nil {
		return config, fmt.Errorf("read control plane %s: %w", c.Name, err)
	}
	return config, nil
}
