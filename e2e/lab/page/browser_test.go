package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium with a profile of its own.
type browser struct {
	t      *testing.T
	binary string
	dir    string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	binary := findBrowser()
	if binary == "" {
		const missing = "Chromium is needed to look at the report; on Debian: hack/install-test-packages.sh chromium"
		// A test must not install anything on somebody's machine; CI has installed it before.
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return &browser{t: t, binary: binary, dir: t.TempDir()}
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// run starts the browser once; a browser that hangs on a busy machine is tried
// again.
func (b *browser) run(args ...string) (stdout, stderr string) {
	b.t.Helper()
	var err error
	for range 3 {
		profile, e := os.MkdirTemp(b.dir, "profile")
		if e != nil {
			b.t.Fatal(e)
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, b.binary, append([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
			"--virtual-time-budget=2000", "--user-data-dir=" + profile,
		}, args...)...)
		var out, log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &log
		cmd.WaitDelay = 5 * time.Second
		err = cmd.Run()
		cancel()
		if err == nil {
			return out.String(), log.String()
		}
		stderr = log.String()
	}
	b.t.Fatalf("run Chromium: %v\n%s", err, stderr)
	return "", ""
}

// found is what the browser made of the page.
type found struct {
	Charts, Drawn, Width int
	Console              string
}

// look runs in a frame of the given width: Chromium has a least window width.
const look = `<script>
window.addEventListener("load", () => {
  const d = document.getElementById("f").contentDocument, svgs = [...d.querySelectorAll("figure svg")];
  const drawn = svgs.filter(s => { const b = s.getBBox(); return b.width > 100 && b.height > 50 && s.clientWidth > 100 && s.querySelectorAll("path").length > 1 && s.querySelectorAll("text").length > 2; });
  document.body.innerHTML = "<pre>" + JSON.stringify({Charts: svgs.length, Drawn: drawn.length, Width: d.documentElement.scrollWidth}) + "</pre>";
});
</script>`

var result = regexp.MustCompile(`<pre>(\{.*?\})</pre>`)

// inspect opens the page as it is, for its console, and in a frame, to measure.
func (b *browser) inspect(path string, width int) found {
	b.t.Helper()
	_, log := b.run("--dump-dom", "file://"+path)
	var console []string
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, ":CONSOLE") {
			console = append(console, line)
		}
	}
	frame := filepath.Join(b.dir, "frame.html")
	html := fmt.Sprintf(`<!doctype html><body><iframe id="f" src="file://%s" style="width:%dpx;height:3000px;border:0"></iframe>%s`, path, width, look)
	if err := os.WriteFile(frame, []byte(html), 0o600); err != nil {
		b.t.Fatal(err)
	}
	dom, _ := b.run("--allow-file-access-from-files", "--dump-dom", "file://"+frame)
	match := result.FindStringSubmatch(dom)
	if match == nil {
		b.t.Fatalf("the page could not be measured: %.2000s", dom)
	}
	var f found
	if err := json.Unmarshal([]byte(match[1]), &f); err != nil {
		b.t.Fatal(err)
	}
	f.Console = strings.Join(console, "\n")
	return f
}

func (b *browser) screenshot(path, out string, dark bool) {
	b.t.Helper()
	args := []string{"--window-size=1280,2600", "--screenshot=" + out}
	if dark {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	} else {
		args = append(args, "--blink-settings=preferredColorScheme=1")
	}
	b.run(append(args, "file://"+path)...)
	b.mustBeThere(out)
}

func (b *browser) print(path, out string) {
	b.t.Helper()
	b.run("--no-pdf-header-footer", "--print-to-pdf="+out, "file://"+path)
	b.mustBeThere(out)
}

func (b *browser) mustBeThere(path string) {
	b.t.Helper()
	if info, err := os.Stat(path); err != nil || info.Size() < 10_000 {
		b.t.Errorf("%s was not made: %v", path, err)
	}
}
