package discover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/bril-edge/bril/uplink/durable"
	"github.com/bril-edge/bril/uplink/origin"
)

const (
	pinName = "endpoint.json"
	maxPin  = 64 << 10 // bytes
)

// pin is what was found the first time; the zero value: nothing yet.
type pin struct{ Found }

// readPin reads the pin. One that cannot be read is no reason to take the next
// recipient that comes.
func readPin(dir string) (pin, error) {
	if dir == "" {
		return pin{}, nil
	}
	path := filepath.Join(dir, pinName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return pin{}, nil
	}
	if err != nil {
		return pin{}, fmt.Errorf("read the pinned recipient: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPin))
	if err != nil {
		return pin{}, fmt.Errorf("read the pinned recipient: %w", err)
	}
	found, err := parse(data, nil)
	if err != nil {
		return pin{}, origin.WithHint(fmt.Errorf("read the pinned recipient in %s: %w", path, err), "remove "+path+" if the endpoint is to be trusted anew")
	}
	return pin{found}, nil
}

// of says that something was pinned of an origin.
func (p pin) of(whip *url.URL) bool {
	uploads, err := url.Parse(p.Uploads)
	return p.Recipient != nil && err == nil && origin.Of(uploads) == origin.Of(whip)
}

// keep pins what was found, unless another recipient is pinned. Where uploads go
// may change: it is the recipient who can read them.
func (p pin) keep(dir string, found Found) error {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, pinName)
	switch {
	case p.Recipient == nil:
	case p.Recipient.String() != found.Recipient.String():
		return origin.WithHint(
			fmt.Errorf("the endpoint's recipient is %s, and %s is pinned in %s: %w", found.Recipient, p.Recipient, path, ErrChanged),
			"if you have made the endpoint's key (DATA/age.key) anew, remove "+path)
	case p.Uploads == found.Uploads:
		return nil
	}
	data, err := json.MarshalIndent(struct {
		SchemaVersion int    `json:"schema_version"`
		Uploads       string `json:"uploads"`
		Recipient     string `json:"recipient"`
	}{version, found.Uploads, found.Recipient.String()}, "", "  ")
	if err == nil {
		err = durable.WriteFile(path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("pin the endpoint's recipient: %w", err)
	}
	return nil
}
