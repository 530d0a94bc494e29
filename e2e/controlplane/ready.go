package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const pollInterval = 50 * time.Millisecond

// waitReady waits until a component answers that it is ready, and fails at once when its process has ended.
func (c *ControlPlane) waitReady(ctx context.Context, component Component) error {
	client, url, err := c.probe(component)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var last error
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if c.PID(component) == 0 {
			return false, fmt.Errorf("its process has ended")
		}
		last = get(ctx, client, url)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s to be ready: %w", component, errors.Join(err, last))
	}
	return nil
}

func (c *ControlPlane) probe(component Component) (*http.Client, string, error) {
	switch component {
	case APIServer:
		client, err := rest.HTTPClientFor(c.config)
		return client, c.config.Host + "/readyz", err
	case ControllerManager:
		// It serves a certificate that it made for itself; the question is only whether it answers.
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // loopback, see above
		return &http.Client{Transport: transport}, fmt.Sprintf("https://127.0.0.1:%d/healthz", c.managers), nil
	default:
		return &http.Client{Transport: &http.Transport{}}, c.EtcdURL() + "/readyz", nil
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// ensureControllers waits until the controllers work. The controller manager ends by itself where the API server takes
// longer than some seconds to become healthy, as it does on a busy machine; it is then started again.
func (c *ControlPlane) ensureControllers(ctx context.Context) error {
	err := c.StartComponent(ctx, ControllerManager)
	if err != nil && ctx.Err() == nil && c.PID(ControllerManager) == 0 {
		// It gave up between the look at its process and its first answer; the API server is healthy by now.
		err = c.StartComponent(ctx, ControllerManager)
	}
	if err != nil {
		return err
	}
	return c.waitControllers(ctx)
}

// waitControllers waits for the first thing that the controller manager makes: the default namespace's service account.
func (c *ControlPlane) waitControllers(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	var last error
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		_, last = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the controllers: %w", errors.Join(err, last))
	}
	return nil
}
