package operator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
)

// What the manifests call the Deployment and its container.
const (
	deployment  = "kyma-operator"
	metricsPort = "8443"
	rollout     = 3 * time.Minute
)

// Cluster is an operator that runs as a Deployment. For the time of a run it has
// one replica, the flags under test, and metrics without authentication, read
// through the API server; afterwards the Deployment is what it was before.
type Cluster struct {
	kube      kubernetes.Interface
	namespace string
	clock     clock.Clock
	args      []string
	before    appsv1.DeploymentSpec
}

// InCluster finds the Deployment.
func InCluster(ctx context.Context, kube kubernetes.Interface, namespace string, args []string, c clock.Clock) (*Cluster, error) {
	d, err := kube.AppsV1().Deployments(namespace).Get(ctx, deployment, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find the operator in the cluster (`kubectl apply -k manifests/operator` installs it): %w", err)
	}
	return &Cluster{kube: kube, namespace: namespace, clock: c, args: args, before: *d.Spec.DeepCopy()}, nil
}

// Start brings one replica up with the flags under test.
func (c *Cluster) Start(ctx context.Context) error {
	err := c.update(ctx, func(spec *appsv1.DeploymentSpec) {
		spec.Replicas = new(int32(1))
		container := &spec.Template.Spec.Containers[0]
		container.Args = slices.Concat(c.before.Template.Spec.Containers[0].Args, c.args, []string{"--metrics-secure=false"})
	})
	if err != nil {
		return err
	}
	return c.waitPods(ctx, 1)
}

// Stop takes the replica down and puts the Deployment's flags back. The number
// of replicas stays 0 until the next Start or Restore.
func (c *Cluster) Stop(ctx context.Context) error {
	if err := c.update(ctx, func(spec *appsv1.DeploymentSpec) { spec.Replicas = new(int32(0)) }); err != nil {
		return err
	}
	return c.waitPods(ctx, 0)
}

// Restore makes the Deployment what it was before the lab.
func (c *Cluster) Restore(ctx context.Context) error {
	return c.update(ctx, func(spec *appsv1.DeploymentSpec) {
		spec.Replicas = c.before.Replicas
		spec.Template = *c.before.Template.DeepCopy()
	})
}

// Kill deletes the pod without grace; the Deployment brings the next one.
func (c *Cluster) Kill(ctx context.Context) error {
	pods, err := c.list(ctx)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if err := c.kube.CoreV1().Pods(c.namespace).Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0)); err != nil {
			return fmt.Errorf("delete pod %s/%s: %w", c.namespace, pod.Name, err)
		}
	}
	return nil
}

func (c *Cluster) update(ctx context.Context, change func(*appsv1.DeploymentSpec)) error {
	deployments := c.kube.AppsV1().Deployments(c.namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		d, err := deployments.Get(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&d.Spec)
		_, err = deployments.Update(ctx, d, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("update deployment %s/%s: %w", c.namespace, deployment, err)
	}
	return nil
}

// waitPods waits until exactly so many pods are there and, if any, ready.
func (c *Cluster) waitPods(ctx context.Context, want int) error {
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, rollout, true, func(ctx context.Context) (bool, error) {
		d, err := c.kube.AppsV1().Deployments(c.namespace).Get(ctx, deployment, metav1.GetOptions{})
		if err != nil || d.Status.ObservedGeneration < d.Generation || int(d.Status.UpdatedReplicas) != want || int(d.Status.ReadyReplicas) != want {
			return false, nil //nolint:nilerr // asked again until the time is up
		}
		pods, err := c.list(ctx)
		return err == nil && len(pods) == want, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %d pods of deployment %s/%s: %w", want, c.namespace, deployment, err)
	}
	return nil
}

func (c *Cluster) list(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := c.kube.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(c.before.Selector)})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s/%s: %w", c.namespace, deployment, err)
	}
	return pods.Items, nil
}

// Metrics reads the pod's metrics through the API server.
func (c *Cluster) Metrics(ctx context.Context) (io.ReadCloser, error) {
	pods, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			return c.kube.CoreV1().Pods(c.namespace).ProxyGet("http", pod.Name, metricsPort, "metrics", nil).Stream(ctx)
		}
	}
	return nil, errNotRunning
}

// PID is 0: the process is not on this machine.
func (c *Cluster) PID() int { return 0 }

// Starts counts the restarts of containers, none of which the lab asks for: it
// replaces whole pods.
func (c *Cluster) Starts(ctx context.Context) (all, injected int) {
	pods, err := c.list(ctx)
	if err != nil {
		return 0, 0
	}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			all += int(status.RestartCount)
		}
	}
	return all, 0
}

// Faults searches the logs of the pods that are there.
func (c *Cluster) Faults(ctx context.Context) ([]string, error) {
	pods, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, errors.New("no pod is left whose log could be read")
	}
	var out []string
	for _, pod := range pods {
		data, err := c.kube.CoreV1().Pods(c.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).Do(ctx).Raw()
		if err != nil {
			return out, fmt.Errorf("read log of pod %s/%s: %w", c.namespace, pod.Name, err)
		}
		found, err := searchLog(bufio.NewScanner(bytes.NewReader(data)))
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Describe names the image and the flags.
func (c *Cluster) Describe(context.Context) (version string, args []string) {
	container := c.before.Template.Spec.Containers[0]
	return container.Image, slices.DeleteFunc(slices.Concat(container.Args, c.args), func(s string) bool { return strings.HasPrefix(s, "--lifecycle-unit=1s") })
}

// InCluster is true.
func (c *Cluster) InCluster() bool { return true }
