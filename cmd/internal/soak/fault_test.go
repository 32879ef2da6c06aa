package soak

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// site is an agent that is live at an endpoint, with what can fail.
type site struct {
	*testing.T
	endpoint *endpoint
	proxy    *proxy
	agent    *agent
	spool    string // on a disk of its own where that can be
	since    time.Time
}

// fault is one way in which something fails.
type fault struct {
	name       string
	begin, end func(*site)
	component  string // which status shows an error of; "" none
	warns      bool   // or it is shown as a warning
	says       string // a part of its message
	disk       bool   // the device's own disk is to be mounted for it
	refuses    bool   // photos are refused meanwhile, with a hint
}

// endpointFaults are what an endpoint does, or a proxy before it.
func endpointFaults() []fault {
	set := func(f failure) func(*site) { return func(s *site) { s.proxy.set(f) } }
	well := set(nil)
	return []fault{
		{name: "refused", begin: func(s *site) { s.proxy.refuse() }, end: func(s *site) { s.proxy.listen(s.T) }, component: "upload", says: "connection refused"},
		{name: "500", begin: set(answer(500, "", "GET HEAD POST PATCH")), end: well, component: "upload", says: "500"},
		{name: "502, a page", begin: set(page), end: well, component: "upload", says: "502"},
		{name: "503", begin: set(answer(503, "back soon", "GET HEAD POST PATCH")), end: well, component: "upload", says: "busy"},
		{name: "423", begin: set(answer(423, "", "HEAD PATCH")), end: well, component: "upload", says: "locked"},
		{name: "409, another offset", begin: set(answer(409, "", "PATCH")), end: well, component: "upload", says: "offset"},
		{name: "an offset beyond the end", begin: set(otherOffset), end: well, component: "upload", says: "offset"},
		{name: "507", begin: set(answer(507, "", "POST")), end: well, component: "upload", says: "disk is full"},
		{name: "cut in the middle", begin: set(cut(4000)), end: well, component: "upload", says: "upload"},
		{name: "slow", begin: func(s *site) { s.proxy.set(s.proxy.slow) }, end: well},
		{name: "a receipt for something else", begin: set(otherReceipt), end: well, component: "upload", says: "other bytes"},
		{name: "its disk is full", begin: func(s *site) { s.fill(s.endpoint.data) }, end: func(s *site) { s.unfill(s.endpoint.data) },
			component: "upload", says: "disk is full", disk: true},
	}
}

// diskFaults are those of the device's own disk.
func diskFaults() []fault {
	return []fault{
		{name: "disk full", begin: func(s *site) { s.fill(s.spool) }, end: func(s *site) { s.unfill(s.spool) },
			component: "spool", says: "no room", disk: true, refuses: true},
		{name: "disk read-only", begin: func(s *site) { s.remount(unix.MS_RDONLY) }, end: func(s *site) { s.remount(0) },
			component: "spool", says: "read-only", disk: true, refuses: true},
		{name: "folder deleted", begin: (*site).deleteSpool, end: func(*site) {}, warns: true, says: "disappeared"},
	}
}

// inside is set in the process that may mount.
const inside = "BRIL_SOAK_INSIDE"

// TestFaults lets the endpoint and the disk fail in every way while the agent is
// live. Each is shown by the status, the stream goes on, and what was promised
// arrives once when it is over. Its own mount namespace goes with it.
func TestFaults(t *testing.T) {
	if os.Getenv(inside) == "" && os.Getuid() == 0 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFaults$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"="+filepath.Dir(binaries.bril))
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		if !errors.Is(err, syscall.EPERM) || os.Getenv("CI") == "true" {
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	s := newSite(t)
	for _, f := range append(endpointFaults(), diskFaults()...) {
		well := t.Run(f.name, func(t *testing.T) {
			if f.disk && os.Getenv(inside) == "" {
				t.Skip("mounting a small file system needs root")
			}
			s.T = t
			s.suffer(f)
		})
		if !well { // its fault may go on
			return
		}
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, endpoint: newEndpoint(t), spool: filepath.Join(t.TempDir(), "spool")}
	for _, dir := range []string{s.spool, s.endpoint.data} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if os.Getenv(inside) != "" {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		}
	}
	s.endpoint.begin()
	s.proxy = newProxy(t, s.endpoint.url(""))
	s.agent = newAgent(t, s.endpoint, fmt.Sprintf(`
session: {name: %s}
spool: {dir: %s, quota: 64M}
clip: {pre_roll: 1s}
upload: {live_share: 100, url: "http://%s/api/uploads/"}
`, conversation, s.spool, s.proxy.address))
	s.agent.start("--live")
	s.agent.waitArmed()
	s.since = s.agent.waitStatus("live", func(st control.Status) bool { return st.State == "live" }).LiveSince
	return s
}

const diskSize = "size=48m"

// suffer takes photos before, in and after a fault.
func (s *site) suffer(f fault) {
	s.Helper()
	s.agent.t = s.T
	var promised []string
	if f.disk && f.component == "spool" { // something waits when the disk fails
		s.proxy.refuse()
		promised = append(promised, s.photo(), s.clip())
	}
	f.begin(s)
	begun := time.Now()
	if f.refuses {
		s.refused()
	} else {
		promised = append(promised, s.photo(), s.clip())
	}
	s.shown(f, promised)
	s.streams()
	sums := s.sums(promised)
	f.end(s)
	lasted := time.Since(begun)
	if f.disk && f.component == "spool" {
		s.proxy.listen(s.T)
		promised = append(promised, s.photo())
	}
	back := time.Now()
	s.arrive(promised, sums)
	s.Logf("lasted %s; all %d there %s after its end, %d with their checksums from the disk", lasted.Round(time.Millisecond), len(promised), time.Since(back).Round(time.Millisecond), len(sums))
}

func (s *site) photo() string {
	s.Helper()
	photo, err := s.agent.client.Photo(s.Context(), false)
	if err != nil {
		s.Fatal(err)
	}
	return photo.ID
}

func (s *site) clip() string {
	s.Helper()
	begun, err := s.agent.client.Clip(s.Context(), control.StartClip)
	if err != nil {
		s.Fatal(err)
	}
	clip, err := s.agent.client.Clip(s.Context(), control.StopClip)
	if err != nil || clip.ID != begun.ID {
		s.Fatalf("%s began, %s ended: %v", begun.ID, clip.ID, err)
	}
	return clip.ID
}

// refused wants no promise, and a hint.
func (s *site) refused() {
	s.Helper()
	var hinted interface{ Hint() string }
	photo, err := s.agent.client.Photo(s.Context(), false)
	if err == nil || !errors.As(err, &hinted) || hinted.Hint() == "" {
		s.Errorf("a photo was promised as %q: %v", photo.ID, err)
	}
	_, clipErr := s.agent.client.Clip(s.Context(), control.StartClip)
	if clipErr == nil {
		s.Error("a clip was begun")
	}
	s.Logf("a photo is refused: %v (%s); a clip: %v", err, hinted.Hint(), clipErr)
}

// shown waits until the status shows the fault.
func (s *site) shown(f fault, promised []string) {
	s.Helper()
	if f.component == "" && !f.warns {
		st := s.agent.waitStatus("sending", func(st control.Status) bool {
			return st.Upload.State == "sending" && slices.Contains(promised, st.Upload.Item) && st.Upload.Bytes > 0
		})
		s.Logf("status: upload %s %s, %d of %d bytes", st.Upload.State, st.Upload.Item, st.Upload.Sent, st.Upload.Bytes)
		return
	}
	s.agent.waitStatus("showing it", func(st control.Status) bool {
		for _, shown := range st.Errors {
			if shown.Component == f.component && strings.Contains(shown.Message, f.says) {
				s.Logf("status: %s: %s (hint: %s)", shown.Component, shown.Message, shown.Hint)
				return shown.Hint != ""
			}
		}
		for _, warning := range st.Warnings {
			if f.warns && strings.Contains(warning, f.says) {
				s.Logf("status: warning: %s", warning)
				return true
			}
		}
		return false
	})
}

// streams wants the stream to be the one of the beginning, and to go on.
func (s *site) streams() {
	s.Helper()
	var first uint64
	st := s.agent.waitStatus("sending pictures", func(st control.Status) bool {
		if first == 0 {
			first = st.Video.Sent
		}
		return st.Video.Sent >= first+10
	})
	if st.State != "live" || !st.LiveSince.Equal(s.since) {
		s.Errorf("it is %s since %s, and was live since %s", st.State, st.LiveSince, s.since)
	}
}

// sums are the checksums of what is on the device's disk.
func (s *site) sums(ids []string) map[string]string {
	s.Helper()
	sums := map[string]string{}
	for _, id := range ids {
		if _, data, err := read(filepath.Join(s.spool, id+".ready")); err == nil {
			sums[id] = hexSum(data)
		}
	}
	return sums
}

// arrive waits until the spool is empty, and wants each item once.
func (s *site) arrive(promised []string, sums map[string]string) {
	s.Helper()
	if _, err := s.agent.client.SpoolAct(s.Context(), control.Retry, ""); err != nil {
		s.Error(err)
	}
	s.agent.waitFor("sending all", func() bool {
		spool, err := s.agent.client.Spool(s.Context())
		return err == nil && len(spool.Items) == 0
	})
	there := map[string]int{}
	for _, item := range s.endpoint.list(conversation) {
		there[item.ID]++
		sum, seen := sums[item.ID]
		if got := s.endpoint.description(item.ID).UploadSHA256; seen && got != sum {
			s.Errorf("%s %s arrived with checksum %s instead of %s", item.Kind, item.ID, got, sum)
		}
	}
	for _, id := range promised {
		if there[id] != 1 {
			s.Errorf("%s is there %d times", id, there[id])
		}
	}
	s.agent.waitStatus("well", func(st control.Status) bool { return len(st.Errors) == 0 })
}

const ballast = "ballast"

// fill leaves nothing of a disk.
func (s *site) fill(dir string) {
	s.Helper()
	err := os.WriteFile(filepath.Join(dir, ballast), make([]byte, 64<<20), 0o600)
	if !errors.Is(err, unix.ENOSPC) {
		s.Fatalf("the disk does not fill: %v", err)
	}
}

func (s *site) unfill(dir string) {
	s.Helper()
	if err := os.Remove(filepath.Join(dir, ballast)); err != nil {
		s.Fatal(err)
	}
}

func (s *site) remount(flags uintptr) {
	s.Helper()
	if err := unix.Mount("tmpfs", s.spool, "tmpfs", unix.MS_REMOUNT|flags, diskSize); err != nil {
		s.Fatal(err)
	}
}

// deleteSpool is somebody's rm -r. What has no copy is lost then: one photo.
func (s *site) deleteSpool() {
	s.Helper()
	s.proxy.refuse()
	lost := s.photo()
	if _, err := s.agent.client.Clip(s.Context(), control.StartClip); err != nil {
		s.Fatal(err)
	}
	list, err := os.ReadDir(s.spool)
	for _, d := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.spool, d.Name())))
	}
	if os.Getenv(inside) == "" {
		err = errors.Join(err, os.Remove(s.spool))
	}
	if err != nil {
		s.Fatal(err)
	}
	_, err = s.agent.client.Clip(s.Context(), control.StopClip)
	if err == nil {
		s.Error("a clip was promised that is nowhere")
	}
	s.proxy.listen(s.T)
	s.Logf("%s is lost, and a clip: %v", lost, err)
}
