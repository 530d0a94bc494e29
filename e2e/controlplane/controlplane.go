package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ControlPlane is a running control plane.
type ControlPlane struct {
	Name string
	// Dir is RunDir/Name; a caller may keep files of its own there, they go with Stop.
	Dir string
	// Kubeconfig is the path of a kubeconfig for a member of system:masters.
	Kubeconfig string

	opts     Options
	config   *rest.Config
	lock     *lock
	guardian *guardian
	etcdPort int
	managers int
}

// ErrRunning means that a control plane of that name is in use.
var ErrRunning = errors.New("is already running")

func newControlPlane(o Options) *ControlPlane {
	c := &ControlPlane{Name: o.Name, Dir: filepath.Join(o.RunDir, o.Name), opts: o}
	c.Kubeconfig = c.path("kubeconfig")
	return c
}

// Start starts a control plane and returns once its API server is ready and its controllers work. What an earlier one
// of the same name left behind is removed first; one that is in use makes it fail with ErrRunning.
func Start(ctx context.Context, o Options) (_ *ControlPlane, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := newControlPlane(o)
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("start control plane %s: %w", c.Name, err)
	}
	if err := c.acquire(ctx); err != nil {
		return nil, fmt.Errorf("start control plane %s: %w", c.Name, err)
	}
	defer func() {
		if err != nil {
			// Clean up although ctx may be what ended the start.
			err = errors.Join(fmt.Errorf("start control plane %s: %w", c.Name, err), c.Stop(context.WithoutCancel(ctx)))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	if err := c.launch(ctx); err != nil {
		return nil, c.withLogs(err)
	}
	return c, nil
}

// acquire takes the name and removes what its last owner left behind.
func (c *ControlPlane) acquire(ctx context.Context) (err error) {
	c.lock, err = tryLock(c.path("lock"))
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w, in another process", ErrRunning)
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.releasedFile()); err == nil && len(c.processes()) > 0 {
		c.lock.release()
		return fmt.Errorf("%w: `make control-plane-down NAME=%s` stops it", ErrRunning, c.Name)
	}
	if err := c.clean(ctx); err != nil {
		c.lock.release()
		return err
	}
	return nil
}

func (c *ControlPlane) launch(ctx context.Context) error {
	if err := c.writeKubectlStandIn(); err != nil {
		return err
	}
	var err error
	if c.guardian, err = c.startGuardian(); err != nil {
		return err
	}
	ports, release, err := reservePorts()
	if err != nil {
		return err
	}
	defer release()
	if err := c.create(ctx, ports); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	for _, component := range []Component{Etcd, APIServer} {
		if err := c.waitReady(ctx, component); err != nil {
			return err
		}
	}
	return c.ensureControllers(ctx)
}

// connect reads back what the clients of this control plane need to know.
func (c *ControlPlane) connect() (err error) {
	if c.config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	c.config.QPS = -1 // Tests and measurements must not wait for their own client.
	c.config.DisableCompression = true
	config, err := c.readKwokConfig()
	if err != nil {
		return err
	}
	c.etcdPort, c.managers = config.port("etcdPort"), config.port("kubeControllerManagerPort")
	return nil
}

func (k kwokConfig) port(option string) int {
	port, _ := k.Options[option].(float64)
	return int(port)
}

// Attach returns a control plane that was started elsewhere and released, or an error where none runs. Its Stop stops
// it.
func Attach(ctx context.Context, o Options) (*ControlPlane, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := newControlPlane(o)
	if len(c.processes()) != len(Components()) {
		return nil, fmt.Errorf("attach to control plane %s: it is not running", c.Name)
	}
	if err := c.connect(); err != nil {
		return nil, fmt.Errorf("attach to control plane %s: %w", c.Name, err)
	}
	if err := c.waitReady(ctx, APIServer); err != nil {
		return nil, fmt.Errorf("attach to control plane %s: %w", c.Name, err)
	}
	return c, nil
}

// Release lets the control plane outlive this process. It is stopped through Attach or Remove, or by
// `make control-plane-down NAME=…`.
func (c *ControlPlane) Release() error {
	if err := os.WriteFile(c.releasedFile(), nil, 0o600); err != nil {
		return fmt.Errorf("release control plane %s: %w", c.Name, err)
	}
	c.letGo()
	return nil
}

// Stop ends the three processes, waits until they are gone and removes all state of the control plane. It may be called
// more than once, and does its work even if ctx has ended.
func (c *ControlPlane) Stop(ctx context.Context) error {
	err := c.clean(context.WithoutCancel(ctx))
	c.letGo()
	if err == nil {
		err = os.RemoveAll(c.Dir)
	}
	if err != nil {
		return fmt.Errorf("stop control plane %s: %w", c.Name, err)
	}
	return nil
}

// Remove stops the control plane of this name, whoever started it, and removes its state; it does nothing where there
// is none. One that is in use by a living process is left alone, with ErrRunning.
func Remove(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil && !errors.Is(err, ErrNoBinaries) {
		return err
	}
	c := newControlPlane(o)
	if _, err := os.Stat(c.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var err error
	c.lock, err = tryLock(c.path("lock"))
	if errors.Is(err, errLocked) {
		err = fmt.Errorf("%w, in another process", ErrRunning)
	}
	if err != nil {
		return fmt.Errorf("stop control plane %s: %w", c.Name, err)
	}
	return c.Stop(ctx)
}

// clean ends whatever runs under this name and removes its state, but not the folder itself.
func (c *ControlPlane) clean(ctx context.Context) error {
	if err := c.killAll(ctx); err != nil {
		return err
	}
	for _, path := range []string{c.path("kwok"), c.path("bin"), c.Kubeconfig, c.tokensFile(), c.path("kwokctl.yaml"), c.releasedFile()} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// letGo gives up the ownership of the control plane.
func (c *ControlPlane) letGo() {
	if c.guardian != nil {
		c.guardian.dismiss()
		c.guardian = nil
	}
	if c.lock != nil {
		c.lock.release()
		c.lock = nil
	}
}

// RESTConfig returns a copy of the client configuration, without client-side limits.
func (c *ControlPlane) RESTConfig() *rest.Config {
	return rest.CopyConfig(c.config)
}

// EtcdURL is etcd's client address; its /metrics is EtcdMetricsURL.
func (c *ControlPlane) EtcdURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort)
}

// EtcdMetricsURL is where etcd serves its metrics, without authentication.
func (c *ControlPlane) EtcdMetricsURL() string {
	return c.EtcdURL() + "/metrics"
}

// LogPath is the log file of a component.
func (c *ControlPlane) LogPath(component Component) string {
	return filepath.Join(c.clusterDir(), "logs", string(component)+".log")
}

// AuditLog is the audit log; it exists where Options.AuditPolicy was given.
func (c *ControlPlane) AuditLog() string {
	return filepath.Join(c.clusterDir(), "logs", "audit.log")
}

func (c *ControlPlane) releasedFile() string {
	return c.path("released")
}

func (c *ControlPlane) path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir}, elements...)...)
}
