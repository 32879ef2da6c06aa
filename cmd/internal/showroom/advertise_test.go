package showroom

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// An advertised address is offered beside the server's own.
func TestAdvertise(t *testing.T) {
	url := startServer(t, Config{Advertise: "192.0.2.7"})
	p := rtctest.NewPublisher(t, rtctest.Options{})
	status, answer := p.Post(url+"/whip/anna", "", p.Offer())
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	for _, address := range []string{" 192.0.2.7 ", " 127.0.0.1 "} {
		if !strings.Contains(answer, address) {
			t.Errorf("no candidate at%sin\n%s", address, answer)
		}
	}
}

func TestAdvertiseIsAnAddress(t *testing.T) {
	for _, address := range []string{"example.com", "192.0.2.7:80", "0.0.0.0", "::", "224.0.0.1"} {
		var refusal *ConfigError
		if _, err := New(Config{Advertise: address}); !errors.As(err, &refusal) || refusal.Hint == "" || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
