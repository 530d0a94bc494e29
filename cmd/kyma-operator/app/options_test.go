package app

import (
	"bytes"
	"strings"
	"testing"
)

func TestBadFlags(t *testing.T) {
	file := t.TempDir()
	tests := map[string]struct {
		args []string
		want string
	}{
		"no workers":              {[]string{"--kyma-workers=0"}, "--kyma-workers"},
		"no component workers":    {[]string{"--helmcomponent-workers=-1"}, "--helmcomponent-workers"},
		"no budget":               {[]string{"--kube-api-qps=0"}, "--kube-api-qps"},
		"no burst":                {[]string{"--kube-api-burst=0"}, "--kube-api-burst"},
		"no slots":                {[]string{"--write-concurrency=0"}, "--write-concurrency"},
		"no back-off":             {[]string{"--retry-base-delay=0s"}, "--retry-base-delay"},
		"back-off upside down":    {[]string{"--retry-base-delay=2s", "--retry-max-delay=1s"}, "--retry-max-delay"},
		"no retries":              {[]string{"--retry-qps=0"}, "--retry-qps"},
		"no retry burst":          {[]string{"--retry-burst=0"}, "--retry-burst"},
		"negative resync":         {[]string{"--kyma-resync-period=-1s"}, "--kyma-resync-period"},
		"negative resync of both": {[]string{"--helmcomponent-resync-period=-1s"}, "--helmcomponent-resync-period"},
		"no unit":                 {[]string{"--lifecycle-unit=0s"}, "--lifecycle-unit"},
		"no shutdown":             {[]string{"--shutdown-timeout=0s"}, "--shutdown-timeout"},
		"unknown log format":      {[]string{"--log-format=xml"}, "--log-format"},
		"too loud":                {[]string{"-v=11"}, "--v"},
		"no charts there":         {[]string{"--charts=" + file + "/none"}, "--charts"},
		"no certificates there":   {[]string{"--metrics-cert-dir=" + file + "/none"}, "--metrics-cert-dir"},
		"no address":              {[]string{"--metrics-bind-address=here"}, "--metrics-bind-address"},
		"no health address":       {[]string{"--health-probe-bind-address=:x"}, "--health-probe-bind-address"},
		"lease shorter":           {[]string{"--leader-elect", "--leader-elect-namespace=a", "--leader-elect-lease-duration=5s"}, "--leader-elect-lease-duration"},
		"lease hardly longer":     {[]string{"--leader-elect", "--leader-elect-namespace=a", "--leader-elect-lease-duration=7.9s"}, "--leader-elect-lease-duration"},
		"renewal shorter":         {[]string{"--leader-elect", "--leader-elect-namespace=a", "--leader-elect-renew-deadline=400ms"}, "--leader-elect-renew-deadline"},
		"no retry":                {[]string{"--leader-elect", "--leader-elect-namespace=a", "--leader-elect-retry-period=0s"}, "--leader-elect-retry-period"},
		"lease without a place":   {[]string{"--leader-elect", "--leader-elect-namespace="}, "--leader-elect-namespace"},
		"lease without a name":    {[]string{"--leader-elect", "--leader-elect-namespace=a", "--leader-elect-id="}, "--leader-elect-id"},
		"unknown flag":            {[]string{"--no-such-flag"}, "--no-such-flag"},
		"not a number":            {[]string{"--kyma-workers=many"}, "--kyma-workers"},
		"unknown command":         {[]string{"fly"}, "fly"},
		"no kubeconfig":           {[]string{"--kubeconfig=" + file + "/none"}, "kubeconfig"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main(tc.args, &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code = %d, want %d", code, exitUsage)
			}
			first, _, _ := strings.Cut(stderr.String(), "\n")
			if !strings.HasPrefix(first, "Error: ") || !strings.Contains(first, tc.want) {
				t.Errorf("first line = %q, want an error that names %s", first, tc.want)
			}
		})
	}
}

func TestDefaultsAreValid(t *testing.T) {
	if err := newOptions().Validate(); err != nil {
		t.Error(err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"--help", "--version"} {
		var stdout, stderr bytes.Buffer
		if code := Main([]string{arg}, &stdout, &stderr); code != 0 || stdout.Len() == 0 || stderr.Len() != 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", arg, code, stdout.String(), stderr.String())
		}
	}
}
