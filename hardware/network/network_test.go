package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/network/networktest"
)

func connect(t *testing.T, bus string) *Manager {
	t.Helper()
	m, err := Connect(t.Context(), bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestJoin(t *testing.T) {
	bus := networktest.Bus(t)
	fake := networktest.Start(t, bus, true)
	m := connect(t, bus)
	for _, test := range []struct {
		profile    Profile
		management string
	}{
		{Profile{SSID: "guest", Security: Open}, ""},
		{Profile{SSID: "Showroom", Security: WPA2, Password: "correct horse"}, "wpa-psk"},
		{Profile{SSID: "Café", Security: WPA3, Password: "x"}, "sae"},
	} {
		n, err := m.Join(t.Context(), test.profile)
		if err != nil {
			t.Fatal(err)
		}
		want := networktest.Profile{ID: "Bril: " + test.profile.SSID, SSID: test.profile.SSID, Management: test.management, Password: test.profile.Password}
		if got := fake.Profiles(); len(got) != 1 || got[0] != want {
			t.Errorf("%+v", got)
		}
		if err := n.Remove(t.Context()); err != nil || len(fake.Profiles()) != 0 {
			t.Errorf("removed: %v, %v", err, fake.Profiles())
		}
	}
}

func TestKeepReplaces(t *testing.T) {
	bus := networktest.Bus(t)
	fake := networktest.Start(t, bus, true)
	m := connect(t, bus)
	for _, ssid := range []string{"other", "Showroom", "Showroom"} {
		n, err := m.Join(t.Context(), Profile{SSID: ssid, Security: Open})
		if err == nil {
			err = n.Keep(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got := fake.Profiles()
	if len(got) != 2 || !got[0].Kept || !got[1].Kept {
		t.Errorf("%+v", got)
	}
}

func TestJoinFails(t *testing.T) {
	for reason, want := range map[uint32]error{53: ErrNotFound, 7: ErrPassword, 8: ErrPassword, 11: ErrPassword, 17: ErrAddress, 1: nil} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			bus := networktest.Bus(t)
			fake := networktest.Start(t, bus, true)
			fake.Have(networktest.Trouble{Fails: reason})
			_, err := connect(t, bus).Join(t.Context(), Profile{SSID: "x", Security: WPA2, Password: "correct horse"})
			if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(err.Error(), "correct") {
				t.Errorf("%v", err)
			}
			var hint interface{ Hint() string }
			if want != nil && !errors.As(err, &hint) {
				t.Error("no hint")
			}
			if left := fake.Profiles(); len(left) != 0 {
				t.Errorf("left behind: %+v", left)
			}
		})
	}
}

func TestJoinTakesTooLong(t *testing.T) {
	bus := networktest.Bus(t)
	fake := networktest.Start(t, bus, true)
	fake.Have(networktest.Trouble{Hangs: true})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-fake.Began()
		cancel(errors.New("enough"))
	}()
	_, err := connect(t, bus).Join(ctx, Profile{SSID: "x", Security: Open})
	if err == nil || !strings.Contains(err.Error(), "enough") || len(fake.Profiles()) != 0 {
		t.Errorf("%v, %v", err, fake.Profiles())
	}
}

func TestNoWay(t *testing.T) {
	bus := networktest.Bus(t)
	if _, err := Connect(t.Context(), "unix:path="+t.TempDir()+"/none"); !errors.Is(err, ErrNoManager) {
		t.Errorf("without a bus: %v", err)
	}
	if _, err := Connect(t.Context(), bus); !errors.Is(err, ErrNoManager) {
		t.Errorf("on an empty bus: %v", err)
	}
	fake := networktest.Start(t, bus, false)
	m := connect(t, bus)
	if _, err := m.Join(t.Context(), Profile{SSID: "x", Security: Open}); !errors.Is(err, ErrNoWiFi) {
		t.Errorf("with a wire: %v", err)
	}
	fake.Have(networktest.Trouble{Denied: true})
	if _, err := m.Add(t.Context(), Profile{SSID: "x", Security: Open}); !errors.Is(err, ErrDenied) {
		t.Errorf("without permission: %v", err)
	}
	if err := UseTimeServer(t.Context(), bus, "ntp.example"); !errors.Is(err, ErrNoTimesync) {
		t.Errorf("without timesyncd: %v", err)
	}
	_ = m.Close()
	_ = m.Close()
}

// serve answers each question as answer says.
func serve(t *testing.T, answer func(question []byte) []byte) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(answer(b[:n]), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func answer(question []byte, at time.Time) []byte {
	b := make([]byte, sntpSize)
	b[0], b[1] = 4<<3|4, 2
	copy(b[24:], question[40:])
	binary.BigEndian.PutUint32(b[40:], uint32(at.Unix()+2208988800))
	binary.BigEndian.PutUint32(b[44:], 1<<31)
	return b
}

func TestAskTime(t *testing.T) {
	for _, want := range []time.Time{time.Date(2026, 12, 1, 2, 3, 4, 5e8, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 5e8, time.UTC)} {
		got, err := AskTime(t.Context(), serve(t, func(q []byte) []byte { return answer(q, want) }))
		if err != nil || !got.Equal(want) {
			t.Errorf("%v: %v, %v", want, got, err)
		}
	}
	for name, change := range map[string]func([]byte){
		"a server without time": func(b []byte) { b[1] = 0 },
		"an alarm":              func(b []byte) { b[0] |= 3 << 6 },
		"somebody's answer":     func(b []byte) { b[24]++ },
		"no time":               func(b []byte) { clear(b[40:]) },
		"a question":            func(b []byte) { b[0] = 4<<3 | 3 },
	} {
		server := serve(t, func(q []byte) []byte { b := answer(q, time.Now()); change(b); return b })
		if got, err := AskTime(t.Context(), server); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := AskTime(t.Context(), serve(t, func([]byte) []byte { return []byte("x") })); err == nil {
		t.Error("a short answer")
	}
}

func TestHidden(t *testing.T) {
	p := Profile{SSID: "x", Security: WPA2, Password: "correct horse"}
	if s := fmt.Sprintf("%v %+v %#v %s", p, p, p, struct{ P Profile }{p}); strings.Contains(s, "horse") {
		t.Error(s)
	}
}
