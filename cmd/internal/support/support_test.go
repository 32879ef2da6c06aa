package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/bril-edge/bril/cmd/internal/redact"
	"github.com/bril-edge/bril/configs"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func says(text string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(text), nil }
}

func some() Config {
	var known redact.Known
	known.Add("opensesame")
	return Config{Board: "anna b/../x", Now: noon, Known: known, Items: []Item{
		{Name: "a.txt", What: "a text", Gather: says("it says opensesame to https://u:p@a.example/x\n")},
		{Name: "b.json", What: "nothing", Gather: says("")},
		{Name: "c.txt", What: "a fault", Gather: func(context.Context) ([]byte, error) {
			return nil, errors.New("no\nAuthorization: Bearer opensesame")
		}},
		{Name: "d.txt", What: "a long text", Gather: says(strings.Repeat("line of a log\n", 100_000))},
	}}
}

const wantList = `  README.txt                  411 B  what is in this bundle
  a.txt                        53 B  a text
  d.txt                   1048.6 kB  a long text
left out:
  b.json                  there is nothing
  c.txt                   no Authorization: (redacted)
`

func TestGather(t *testing.T) {
	b, err := Gather(t.Context(), some())
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "bril-support-anna-b----x-20261123T120000Z" {
		t.Errorf("it is called %s", b.Name)
	}
	if got := b.List(); got != wantList {
		t.Errorf("got\n%s\nwant\n%s", got, wantList)
	}
	files := unpack(t, b)
	if want := "it says (redacted) to https://(redacted)@a.example/x\n"; files["a.txt"] != want {
		t.Errorf("got %q, want %q", files["a.txt"], want)
	}
	if d := files["d.txt"]; len(d) > maxEntry+100 || !strings.HasPrefix(d, "(the beginning is left out)\nline of a log\n") {
		t.Errorf("%d bytes: %.60q", len(d), d)
	}
	if !strings.Contains(files["README.txt"], "c.txt                   no Authorization: (redacted)") {
		t.Errorf("README: %s", files["README.txt"])
	}
}

// The same items make the same bundle, byte for byte.
func TestGatherIsDeterministic(t *testing.T) {
	var first []byte
	for range 5 {
		b, err := Gather(t.Context(), some())
		var packed bytes.Buffer
		if err = errors.Join(err, b.Write(&packed)); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = packed.Bytes()
		}
		if !bytes.Equal(first, packed.Bytes()) {
			t.Fatal("another bundle")
		}
	}
}

func TestGatherDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Gather(t.Context(), Config{Now: noon, Items: []Item{{Name: "slow", Gather: func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}})
		if err != nil || len(b.LeftOut) != 1 || b.LeftOut[0].Why != "it took more than 15s" {
			t.Errorf("%+v, %v", b, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Gather(ctx, some()); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

func TestWriteFile(t *testing.T) {
	b, err := Gather(t.Context(), some())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.tar.gz")
	if err := b.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := b.WriteFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	if err := b.WriteFile("/dev/full/x"); err == nil {
		t.Error("written to nowhere")
	}
}

func unpack(t *testing.T, b *Bundle) map[string]string {
	t.Helper()
	var packed bytes.Buffer
	if err := b.Write(&packed); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil || header.Mode != 0o600 {
			t.Fatalf("%s: mode %o, %v", header.Name, header.Mode, err)
		}
		files[strings.TrimPrefix(header.Name, b.Name+"/")] = string(data)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	cfg := configs.Default()
	cfg.Uplink.TokenFile = write(t, dir+"/token", "opensesame-1\n")
	cfg.Uplink.ICEServers = []configs.ICEServer{{URLs: []string{"turn:relay.example:3478?transport=udp"}, Username: "turn-user-1",
		CredentialFile: write(t, dir+"/credential", "opensesame-2\n")}}
	c := Configuration{Config: cfg, Path: dir + "/bril.yaml", Private: []string{write(t, dir+"/key.pem", "opensesame-3\n")}}
	bundle, err := Gather(t.Context(), Config{Now: noon, Known: c.Known(), Items: append(c.Items(),
		Item{Name: "log", Gather: says("opensesame-1 opensesame-2 opensesame-3 turn-user-1")})})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, bundle)
	for name, text := range files {
		if strings.Contains(text, "opensesame") || strings.Contains(text, "turn-user") {
			t.Errorf("%s: %s", name, text)
		}
	}
	for name, want := range map[string]string{
		"configuration.yaml": "token_file: " + dir + "/token\n",
		"files.txt":          dir + "/credential: -rw-------",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s has no %q:\n%s", name, want, files[name])
		}
	}
	if c.Config.Uplink.ICEServers[0].Username != "turn-user-1" {
		t.Error("the configuration itself was changed")
	}
	c.Err = errors.New("line 3 is wrong")
	if _, err := c.effective(t.Context()); err != c.Err {
		t.Errorf("got %v", err)
	}
}

// The address of many a service is all that is needed to publish there.
func TestStreamKey(t *testing.T) {
	const key = "d41d8cd9-8f00-b204-e980-0998ecf8427e"
	c := Configuration{Config: configs.Default()}
	c.Config.Uplink.WHIPURL = "https://live.example/app/" + key + "/whip"
	bundle, err := Gather(t.Context(), Config{Board: key, Now: noon, Known: c.Known(), Items: append(c.Items(), Item{Name: "log", Gather: says("published as " + key)})})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, bundle)
	files["the name"] = bundle.Name
	for name, text := range files {
		if strings.Contains(text, key) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if text := files["configuration.yaml"]; !strings.Contains(text, "https://live.example/app/"+redact.Mark+"/whip") {
		t.Errorf("the rest of the address is gone:\n%s", text)
	}
	if keys := streamKeys("https://a.example/whip/anna", "https://a.example/whip/showroom-antwerp-two", "http://%", ""); len(keys) != 0 {
		t.Errorf("%q are taken for keys", keys)
	}
}

// Of one long line the end is kept, too.
func TestCutLine(t *testing.T) {
	bundle, err := Gather(t.Context(), Config{Now: noon, Items: []Item{{Name: "x", Gather: says(strings.Repeat("é", maxEntry) + "the end")}}})
	if err != nil {
		t.Fatal(err)
	}
	if text := unpack(t, bundle)["x"]; !strings.HasSuffix(text, "the end") || !utf8.ValidString(text) {
		t.Errorf("%d bytes, which end in %q", len(text), text[max(len(text)-20, 0):])
	}
}

func TestSystem(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 13\"\n")
	write(t, root+"/proc/version", "Linux version 6.12\n")
	write(t, root+"/proc/device-tree/model", "Radxa Zero 3W\x00")
	write(t, root+"/proc/mounts", "//nas/x /mnt cifs rw,username=a,password=opensesame 0 0\n/dev/root / ext4 rw 0 0\n")
	write(t, root+"/usr/lib/aarch64-linux-gnu/libasound.so.2.0.0", "")
	s := System{Version: "1.2.3", Root: root, Run: func(_ context.Context, name string, _ ...string) ([]byte, error) {
		if name == "dmesg" {
			return []byte("[1] uvcvideo: found\n[2] something else\n[3] usb 1-1: password=opensesame\n"), nil
		}
		return []byte("MESSAGE of " + name + " token=opensesame\n"), nil
	}}
	bundle, err := Gather(t.Context(), Config{Now: noon, Items: s.Items()})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, bundle)
	for name, want := range map[string]string{
		"versions.json": `"libraries": [
    "/usr/lib/aarch64-linux-gnu/libasound.so.2.0.0"
  ]`,
		"journal.txt": "MESSAGE of journalctl token=(redacted)\n",
		"dmesg.txt":   "[1] uvcvideo: found\n[3] usb 1-1: password=(redacted)\n",
		"mounts.txt":  "//nas/x /mnt cifs rw,username=a,password=(redacted) 0 0\n",
		"disks.txt":   "  / (ext4)\n",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s has no %q:\n%s", name, want, files[name])
		}
	}
	for _, want := range []string{`"bril": "1.2.3"`, `"system": "Debian 13"`, `"board": "Radxa Zero 3W"`, `"kernel": "Linux version 6.12"`} {
		if !strings.Contains(files["versions.json"], want) {
			t.Errorf("no %s in %s", want, files["versions.json"])
		}
	}
}

// A program that is not there, or complains, is a reason and no more.
func TestCommandFails(t *testing.T) {
	for _, tc := range []struct{ name, arg, want string }{
		{"bril-no-such-program", "", "run bril-no-such-program: "},
		{"ls", "/bril-no-such-file", "ls: "},
	} {
		if out, err := (System{}).command(tc.name, tc.arg)(t.Context()); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %q, %v", tc.name, out, err)
		}
	}
}
