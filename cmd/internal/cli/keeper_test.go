package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/bril-edge/bril/cmd/internal/cli"
	"github.com/bril-edge/bril/cmd/internal/control"
)

// keeper is a daemon without devices that keeps photos and clips: the program
// `keeper SOCKET WHAT` of the stories. WHAT is live, off (no conversation), bare
// (no recipient) or full.
type keeper struct {
	control.Configured
	control.Enroller
	unexamined
	control.Provisioner

	what string

	mu    sync.Mutex
	clip  string
	items []control.SpoolItem
}

func keeperMain() {
	listener, err := control.Listen(os.Args[1])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = control.Server{Daemon: &keeper{what: os.Args[2]}, Describe: cli.Describe}.Run(ctx, listener)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// advice is an error with what to do about it.
type advice struct {
	error
	hint string
}

func (a advice) Hint() string { return a.hint }

func (k *keeper) refused() error {
	switch k.what {
	case "off":
		return advice{errors.New("there is no conversation"), "bril live on begins one; media.outside_session allows it at any time"}
	case "bare":
		return advice{errors.New("there is nobody to encrypt it for"), "set spool.recipient to the cloud's age recipient"}
	}
	return nil
}

// add makes an item; the n-th has n in its id.
func (k *keeper) add(kind, state string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	id := "kq3x5vjm2n7" + string(letters[len(k.items)]) + "ijklmnopqrstuv"
	k.items = append(k.items, control.SpoolItem{
		ID: id, Kind: kind, State: state, Bytes: int64(len(k.items)+1) * 205_300, DeleteAfter: time.Date(2026, 12, 7, 18, 50, 0, 0, time.Local),
	})
	return id
}

func (k *keeper) Photo(context.Context, bool) (control.Photo, error) {
	if err := k.refused(); err != nil {
		return control.Photo{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return control.Photo{ID: k.add("photo", "ready"), Frames: 5, ChooseMS: 58.2, EncodeMS: 9.1, StoreMS: 16.6}, nil
}

func (k *keeper) Clip(_ context.Context, action control.ClipAction) (control.Clip, error) {
	if err := k.refused(); err != nil {
		return control.Clip{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case action == control.StartClip && k.what == "full":
		return control.Clip{}, advice{errors.New("no room for a clip: 1810.0 MB are used, of 1800.0 MB"), "photos still fit; bring the glasses to Wi-Fi"}
	case action == control.StartClip && k.clip != "":
		return control.Clip{}, advice{errors.New("a clip is running already"), "bril clip stop ends it"}
	case action == control.StartClip:
		k.clip = k.add("clip", "writing")
		return control.Clip{ID: k.clip}, nil
	case k.clip == "":
		return control.Clip{}, advice{errors.New("no clip is running"), "bril clip start begins one"}
	}
	ended := k.clip
	k.clip = ""
	k.items[slices.IndexFunc(k.items, func(i control.SpoolItem) bool { return i.ID == ended })].State = "ready"
	return control.Clip{ID: ended, DurationSeconds: 12.43}, nil
}

func (k *keeper) Spool() control.Spool {
	k.mu.Lock()
	defer k.mu.Unlock()
	items := slices.Clone(k.items)
	if len(items) > 0 {
		items[0].Sent = items[0].Bytes / 2
	}
	if len(items) > 1 {
		items[1].Kind, items[1].State = "", "refused"
		items[1].Problem = "the endpoint refuses it: \x1b[2J the checksum of what has arrived is another than that of what was announced"
	}
	return control.Spool{Items: items}
}

func (k *keeper) SpoolAct(_ context.Context, action control.SpoolAction, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.items, func(i control.SpoolItem) bool { return i.ID == id })
	switch {
	case id == "":
	case i < 0:
		return advice{fmt.Errorf("there is no item %q", id), "bril spool list shows the items"}
	case action == control.Drop:
		k.items = slices.Delete(k.items, i, i+1)
	}
	return nil
}

func (k *keeper) Call(context.Context, control.CallAction) (string, error) { return "accepted", nil }

func (k *keeper) Mute(on bool) (control.Talkback, error) {
	return control.Talkback{State: "silent", Muted: on}, nil
}

func (k *keeper) Live(context.Context, control.Action) (string, error) { return k.what, nil }

func (k *keeper) Status() control.Status {
	items := k.Spool().Items
	s := control.Status{Version: "1.2.3", State: "live",
		Spool:  control.SpoolStatus{Items: len(items), QuotaBytes: 2e9, Recipient: "unverified (development)"},
		Upload: control.Upload{State: "idle", URL: "http://127.0.0.1:8080/api/uploads/"},
	}
	for _, item := range items {
		s.Spool.Bytes += item.Bytes
	}
	if len(items) > 0 {
		s.Spool.Oldest = time.Date(2026, 11, 30, 18, 50, 0, 0, time.Local)
		s.Upload.State, s.Upload.Item, s.Upload.Sent, s.Upload.Bytes = "sending", items[0].ID, items[0].Sent, items[0].Bytes
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s.Recording = control.Recording{Armed: true, Clip: k.clip, ClipSince: time.Now(), RingBytes: 1_562_000, RingLimitBytes: 5e6, RingSeconds: 5}
	return s
}
