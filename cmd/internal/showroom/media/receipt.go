package media

import (
	"errors"
	"io/fs"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

// State is what has become of an upload, as devices are told.
type State string

// The states, as they are written.
const (
	Receiving  State = "receiving"  // not all of it is there
	Processing State = "processing" // it is, and is being checked
	Stored     State = "stored"     // durably, and for ever after
	Refused    State = "refused"    // it will never be taken
)

// damaged is kept of an upload that did not have its checksum. The device is told
// that it is unknown, and sends it anew.
const damaged State = "damaged"

// maxDamaged is how often an item may arrive damaged before it is refused: then
// it is the device's copy that is broken.
const maxDamaged = 3

// Receipt answers for an upload.
type Receipt struct {
	SchemaVersion int    `json:"schema_version"`
	ID            string `json:"id"`
	SHA256        string `json:"sha256,omitempty"` // of what was uploaded
	State         State  `json:"state"`
	Reason        string `json:"reason,omitempty"` // why it was refused
}

// keptReceipt is a receipt on disk.
type keptReceipt struct {
	Receipt
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts,omitempty"` // of a damaged one
}

func (s *Store) receiptPath(id string) string { return s.path(receiptsDir, id+".json") }

// kept returns the receipt on disk; its state is empty where there is none.
func (s *Store) kept(id string) (keptReceipt, error) {
	var r keptReceipt
	err := readJSON(s.receiptPath(id), &r)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return r, err
}

func (s *Store) keep(r Receipt, attempts int) error {
	r.SchemaVersion = schemaVersion
	return s.writeJSON(s.receiptPath(r.ID), keptReceipt{Receipt: r, At: s.cfg.Clock().UTC(), Attempts: attempts})
}

// Receipt says what has become of an upload; ok is false where nothing is known
// of it. It is the receipt first, and the upload's own files after that.
func (s *Store) Receipt(id string) (r Receipt, ok bool, err error) {
	if !spool.ValidID(id) {
		return Receipt{}, false, nil
	}
	kept, err := s.kept(id)
	if err != nil {
		return Receipt{}, false, err
	}
	if kept.State == Stored || kept.State == Refused {
		return kept.Receipt, true, nil
	}
	upload, size, err := s.readUpload(id)
	if errors.Is(err, fs.ErrNotExist) {
		// Its files go once there is a receipt, perhaps just now.
		if kept, err = s.kept(id); err != nil || (kept.State != Stored && kept.State != Refused) {
			return Receipt{}, false, err
		}
		return kept.Receipt, true, nil
	}
	if err != nil {
		return Receipt{}, false, err
	}
	r = Receipt{SchemaVersion: schemaVersion, ID: id, SHA256: upload.MetaData["sha256"], State: Receiving}
	if size == upload.Size {
		r.State = Processing
		s.ensureQueued(id)
	}
	return r, true, nil
}
