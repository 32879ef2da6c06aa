package mail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that is really full: what Put took arrives once, what it refused never.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	s := newSink(t, nil, false)
	cfg := s.config("smtp", "")
	cfg.Dir = filepath.Join(dir, "outbox")
	q := open(t, cfg)
	var taken []string
	for {
		id, err := q.Put(t.Context(), message("anna@example.com"))
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		check(t, err)
		taken = append(taken, id)
	}
	fill(t, filepath.Join(dir, "filler"))
	q.pass(t.Context())
	check(t, os.Remove(filepath.Join(dir, "filler")))
	q.pass(t.Context())
	for _, id := range taken {
		wantState(t, q, id, Sent)
	}
	q.Close()
	again := open(t, cfg)
	again.pass(t.Context())
	if n := len(s.letters()); n != len(taken) || len(again.List()) != n || n < 5 {
		t.Errorf("%d taken, %d arrived, %d in the list", len(taken), n, len(again.List()))
	}
	wantNothing(t, cfg.Dir, "anna@")
}

// fill leaves no room at all.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	check(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 1024))
	}
	wantError(t, err, syscall.ENOSPC)
}

func TestManyAtOnce(t *testing.T) {
	const many = 40
	s := newSink(t, nil, false)
	q := open(t, s.config("smtp", ""))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wait sync.WaitGroup
	wait.Go(func() { check(t, q.Run(ctx)) })
	for n := range many {
		wait.Go(func() {
			if _, err := q.Put(t.Context(), message(fmt.Sprintf("a%d@example.com", n))); err != nil {
				t.Error(err)
			}
			q.List()
		})
	}
	for range many {
		<-s.seen
	}
	stop()
	wait.Wait()
	to := map[string]int{}
	for _, l := range s.letters() {
		to[l.to]++
	}
	for _, e := range q.List() {
		if e.State != Sent {
			t.Errorf("%+v", e)
		}
	}
	if len(to) != many || len(s.letters()) != many {
		t.Errorf("%v", to)
	}
}
