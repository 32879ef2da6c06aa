package network

import (
	"errors"
	"os"
	"testing"
)

// TestRealManager adds and removes a network at a NetworkManager that is not there to
// connect this machine: BRIL_NM_BUS is the address of its bus.
func TestRealManager(t *testing.T) {
	bus := os.Getenv("BRIL_NM_BUS")
	if bus == "" {
		t.Skip("BRIL_NM_BUS names no bus with a NetworkManager to try")
	}
	m := connect(t, bus)
	for _, p := range []Profile{
		{SSID: "guest", Security: Open},
		{SSID: "Showroom", Security: WPA2, Password: "correct horse"},
		{SSID: "Café", Security: WPA3, Password: "correct horse"},
	} {
		for range 2 { // the second replaces the first
			n, err := m.Add(t.Context(), p)
			if err == nil {
				err = n.Keep(t.Context())
			}
			if err != nil || n.name(t.Context()) != "Bril: "+p.SSID {
				t.Fatal(err)
			}
			defer func() { _ = n.Remove(t.Context()) }()
		}
		n, err := m.Add(t.Context(), p)
		if err == nil {
			err = n.Remove(t.Context())
		}
		if err != nil || n.name(t.Context()) != "" {
			t.Errorf("%v is still there: %v", p, err)
		}
	}
	if _, err := m.Join(t.Context(), Profile{SSID: "guest", Security: Open}); !errors.Is(err, ErrNoWiFi) {
		t.Errorf("without a Wi-Fi: %v", err)
	}
}
