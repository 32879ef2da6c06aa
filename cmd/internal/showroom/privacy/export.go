package privacy

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Format is how an export is written.
type Format string

// The formats, as they are asked for.
const (
	JSON    Format = "json" // all but the photos and clips, which are named
	Archive Format = "zip"  // data.json, mail/ID.eml, media/CONVERSATION/ID.jpg|.mp4
)

const schemaVersion = 1

// Data is what is stored of one customer.
type Data struct {
	SchemaVersion int                         `json:"schema_version"`
	ExportedAt    time.Time                   `json:"exported_at"`
	Tables        map[string][]map[string]any `json:"tables"`
	Mails         []Letter                    `json:"mails"`
	Items         []media.Item                `json:"photos_and_clips"`
}

// Letter is a mail to the customer.
type Letter struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	State   string    `json:"state"`
	At      time.Time `json:"at"`
	To      string    `json:"to,omitempty"`      // empty once it was sent
	Message string    `json:"message,omitempty"` // likewise
}

// Export writes all that is stored of who, a customer's ID or e-mail address.
// Before records.ErrNotFound, nobody is known by that, nothing is written.
func (k *Keeper) Export(ctx context.Context, who string, format Format, w io.Writer) error {
	data, err := k.collect(ctx, who)
	if err != nil {
		return err
	}
	if format == Archive {
		err = k.writeArchive(ctx, data, w)
	} else {
		err = writeData(data, w)
	}
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func (k *Keeper) collect(ctx context.Context, who string) (Data, error) {
	found, err := k.cfg.Records.Export(ctx, who)
	if err != nil {
		return Data{}, err
	}
	data := Data{SchemaVersion: schemaVersion, ExportedAt: k.cfg.Clock().UTC(), Tables: found.Tables, Mails: []Letter{}, Items: []media.Item{}}
	if k.cfg.Media != nil {
		for _, id := range found.Scope.Conversations {
			data.Items = append(data.Items, k.cfg.Media.Items(id)...)
		}
	}
	data.Mails, err = k.letters(found.Scope)
	return data, err
}

func (k *Keeper) letters(scope records.Scope) ([]Letter, error) {
	letters := []Letter{}
	if k.cfg.Mail == nil {
		return letters, nil
	}
	for _, id := range scope.Customers {
		copies, err := k.cfg.Mail.Export(id)
		if err != nil {
			return nil, err
		}
		for _, c := range copies {
			letters = append(letters, Letter{
				ID: c.Entry.ID, Kind: string(c.Entry.Kind), State: string(c.Entry.State), At: c.Entry.At, To: c.To, Message: string(c.Message),
			})
		}
	}
	return letters, nil
}

func writeData(data Data, w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(data)
}

func (k *Keeper) writeArchive(ctx context.Context, data Data, w io.Writer) error {
	archive := zip.NewWriter(w)
	file, err := archive.CreateHeader(&zip.FileHeader{Name: "data.json", Method: zip.Deflate, Modified: data.ExportedAt})
	if err != nil {
		return err
	}
	if err := writeData(data, file); err != nil {
		return err
	}
	for _, letter := range data.Mails {
		if letter.Message == "" {
			continue
		}
		if file, err = archive.CreateHeader(&zip.FileHeader{Name: "mail/" + letter.ID + ".eml", Method: zip.Deflate, Modified: letter.At}); err != nil {
			return err
		}
		if _, err := io.WriteString(file, letter.Message); err != nil {
			return err
		}
	}
	for _, item := range data.Items {
		if err := errors.Join(ctx.Err(), k.writeItem(archive, item)); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeItem passes over one that was purged meanwhile. Pictures do not get smaller.
func (k *Keeper) writeItem(archive *zip.Writer, item media.Item) error {
	from, err := k.cfg.Media.OpenItem(item)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := archive.CreateHeader(&zip.FileHeader{Name: "media/" + item.Session + "/" + item.File(), Method: zip.Store, Modified: item.TakenAt})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}
