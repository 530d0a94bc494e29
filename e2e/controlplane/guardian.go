package controlplane

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guardianScript waits on its standard input, whose other end only the owner of the control plane holds. A line means
// that the owner takes care itself; end of file without one means that the owner died, by whatever signal, and that its
// control plane has to go: first an unfinished `kwokctl create`, which would start more, then what it started (by command
// line, since it may not have come to record it), then the rest by kwokctl's own records.
const guardianScript = `
read -r word
[ "$word" = released ] && exit 0
[ -s "$CREATE_PID" ] && kill -9 "$(cat "$CREATE_PID")"
for file in /proc/[0-9]*/cmdline; do
	case $(tr '\000' ' ' <"$file") in
	"$BIN"/*) pid=${file#/proc/} && kill -9 "${pid%/cmdline}" ;;
	esac
done
exec "$KWOKCTL" --name "$NAME" delete cluster --kubeconfig "$KUBECONFIG"
`

// guardian ends a control plane whose owner can no longer do it.
type guardian struct {
	stdin io.WriteCloser
	cmd   *exec.Cmd
}

func (c *ControlPlane) startGuardian() (*guardian, error) {
	cmd := exec.Command("/bin/sh", "-c", guardianScript)
	cmd.Env = append(c.kwokctlEnv(), "CREATE_PID="+c.createPIDFile(), "BIN="+c.binDir(), "KWOKCTL="+c.opts.Binaries.Kwokctl,
		"NAME="+c.Name, "KUBECONFIG="+c.Kubeconfig)
	cmd.Dir = c.opts.RunDir
	// A session of its own: Ctrl-C in the terminal must not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guardian of control plane %s: %w", c.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guardian of control plane %s: %w", c.Name, err)
	}
	return &guardian{stdin: stdin, cmd: cmd}, nil
}

// dismiss ends the guardian without letting it do anything.
func (g *guardian) dismiss() {
	_, _ = io.WriteString(g.stdin, "released\n")
	_ = g.stdin.Close()
	_ = g.cmd.Wait()
}

func (c *ControlPlane) createPIDFile() string {
	return c.path("create.pid")
}

func writePID(path string, pid int) error {
	return os.WriteFile(path, fmt.Append(nil, pid), 0o600)
}
