package packagetest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is published: a version that works, and one that does not even start.
const (
	better = "0~1"
	worse  = "0~2"
)

// updates has `bril update` wait for the end of a conversation, bring a newer version,
// and go back from one that does not start. The configuration has been edited before.
func (b *booted) updates(first string) {
	b.Helper()
	program := b.program()
	another := program[:len(program)-1] + "~" // as long, so that it fits in
	configured := b.read("etc/bril/bril.yaml")
	repository := b.path("srv/repository")
	s := newSigner(b.T, "Bril test repository")
	s.publish(b.T, filepath.Dir(first), repository)
	s.publish(b.T, filepath.Dir(remade(b.T, first, better, func(tree string) {
		rewrite(b.T, filepath.Join(tree, "usr/bin/bril"), []byte(program), []byte(another))
		rewrite(b.T, filepath.Join(tree, "etc/bril/bril.yaml"), []byte("#"), []byte("##"))
	})), repository)
	b.subscribe()

	b.waits()
	b.run("bril", "live", "off")
	b.until("updated once the conversation is over", func() bool {
		return b.says(`"installed": "`+better+`"`) && b.says(`"previous": "0~0"`) && b.says(`"version": "`+another+`"`) && b.unit("ActiveState") == "inactive"
	})
	if result := b.unit("Result"); result != "success" {
		b.Errorf("the update's service ended with %s", result)
	}
	b.answers("nothing", better, "", "--check")
	// What was shipped has changed, and so has what is there: a question, to others.
	if b.read("etc/bril/bril.yaml") != configured || !b.exists("etc/bril/bril.yaml.dpkg-dist") {
		b.Error("an update has taken the administrator's configuration away, or dpkg saw no edited one")
	}

	s.publish(b.T, filepath.Dir(remade(b.T, first, worse, func(tree string) {
		// By 3 it says that its configuration is wrong: systemd does not try that again.
		if err := os.WriteFile(filepath.Join(tree, "usr/bin/bril"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
			b.Fatal(err)
		}
	})), repository)
	if out, err := b.try("bril", "update"); err == nil || !strings.Contains(out, "the one before is back") {
		b.Fatalf("a version that does not start: %v\n%s", err, out)
	}
	b.back(another)
	b.answers("skip", better, worse)
	b.answers("skip", better, worse, "--check")
	b.back(another)
	b.run("rm", "-r", "/srv/repository", "/etc/apt/sources.list.d/bril.list", "/usr/share/keyrings/bril.gpg")
}

// waits starts an update while somebody is live.
func (b *booted) waits() {
	b.Helper()
	b.run("bril", "live", "on")
	b.until("live", b.live)
	was := b.property("MainPID")
	b.run("systemctl", "start", "--no-block", "bril-update.service")
	b.until("an update waits for the end of a conversation", func() bool {
		return b.says(`"waiting": "`+better+`"`) && b.says(`"why": "the daemon is live"`)
	})
	b.answers("wait", "0~0", better, "--check")
	if version := b.version(); version != "0~0" || b.property("MainPID") != was || !b.live() {
		b.Errorf("an update has not waited: version %s, process %s, then %s", version, was, b.property("MainPID"))
	}
}

// back checks that the version that works is there, and runs.
func (b *booted) back(program string) {
	b.Helper()
	b.until("the version before runs", func() bool { return b.says(`"version": "` + program + `"`) })
	if version := b.version(); version != better || b.program() != program {
		b.Errorf("version %s, %s, is installed", version, b.program())
	}
	var state struct {
		Bad []string
	}
	b.decode(b.read("var/lib/bril-update/state.json"), &state)
	if len(state.Bad) != 1 || state.Bad[0] != worse {
		b.Errorf("remembers %q as bad", state.Bad)
	}
}

// answers runs `bril update --json`, which installs nothing.
func (b *booted) answers(action, installed, waiting string, args ...string) {
	b.Helper()
	var got struct{ Action, Installed, Waiting string }
	out := b.run(append([]string{"bril", "update", "--json"}, args...)...)
	b.decode(out[strings.Index(out, "{"):], &got)
	if got.Action != action || got.Installed != installed || got.Waiting != waiting {
		b.Errorf("bril update %s: %s", strings.Join(args, " "), out)
	}
}

// program is the version that the program says, which is not the package's.
func (b *booted) program() string {
	b.Helper()
	var said struct{ Version string }
	b.decode(b.run("bril", "version", "--json"), &said)
	return said.Version
}

func (b *booted) decode(text string, into any) {
	b.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
}

// unit tells a property of the update's service.
func (b *booted) unit(property string) string {
	b.Helper()
	return strings.TrimSpace(b.run("systemctl", "show", "-P", property, "bril-update.service"))
}

// rewrite replaces bytes all over a file, which has to hold them.
func rewrite(t *testing.T, path string, before, after []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, before) {
		t.Fatalf("%s holds no %q", path, before)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(data, before, after), info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}
