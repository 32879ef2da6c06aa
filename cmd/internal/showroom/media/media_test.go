package media

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/spool"
)

func TestPhotoIsStored(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	jpg := photo(t, 1)
	i := seal(t, s, metaOf(id(1), Photo), jpg)
	if got := receiptOf(t, s, i.id()); got.State != "" {
		t.Fatalf("a receipt before anything was sent: %+v", got)
	}
	wantStatus(t, create(t, url, i), http.StatusCreated)
	if got := receiptOf(t, s, i.id()); got.State != Receiving {
		t.Fatalf("receipt %+v", got)
	}
	wantStatus(t, patch(t, url, i, 0), http.StatusNoContent)
	if got := receiptOf(t, s, i.id()); got.State != Processing {
		t.Fatalf("receipt %+v", got)
	}
	drain(t, s)
	if got := receiptOf(t, s, i.id()); got.State != Stored || got.SHA256 != digest(i.cipher) {
		t.Fatalf("receipt %+v", got)
	}
	listed, data := stored(t, s)
	if !bytes.Equal(data, jpg) || listed.SHA256 != digest(jpg) || listed.Bytes != int64(len(jpg)) || listed.URL != "/media/anna/"+id(1)+".jpg" {
		t.Errorf("stored %+v", listed)
	}
	wantNothingElse(t, s)
}

// wantNothingElse: no upload and nothing decrypted is left, and all is private.
func wantNothingElse(t *testing.T, s *Store) {
	t.Helper()
	for _, dir := range []string{uploadsDir, incomingDir} {
		if left, _ := filepath.Glob(s.path(dir, "*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	check(t, filepath.Walk(s.cfg.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && path != s.cfg.Dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}

func TestRefused(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	jpg := photo(t, 1)
	with := func(n int, key string, value any) item {
		meta := metaOf(id(n), Photo)
		meta[key] = value
		return item{meta: map[string]any{"id": id(n)}, cipher: seal(t, s, meta, jpg).cipher, state: ready}
	}
	raw := func(n int, cipher []byte, state string) item {
		return item{meta: map[string]any{"id": id(n)}, cipher: cipher, state: state}
	}
	other, err := LoadIdentity(t.TempDir())
	check(t, err)
	whole := seal(t, s, metaOf(id(20), Photo), bytes.Repeat(jpg, 200)).cipher
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, c := range map[string]struct {
		item   item
		reason string
	}{
		"schema":         {with(1, "schema_version", 2), "version 2 instead of 1"},
		"other ID":       {with(2, "id", id(99)), "another item"},
		"kind":           {with(3, "kind", "film"), "unknown kind of item \"film\""},
		"content type":   {with(4, "content_type", "text/html"), "instead of image/jpeg"},
		"name":           {with(5, "session", "../../etc"), "cannot be the name"},
		"empty name":     {with(6, "session", ""), "cannot be the name"},
		"clock":          {with(7, "clock", "late"), "says of the clock \"late\""},
		"time":           {with(8, "taken_at", "yesterday"), "read the item's header"},
		"long metadata":  {with(9, "padding", strings.Repeat("x", spool.MaxHeader)), "longer than 4096"},
		"no metadata":    {raw(10, encrypt(t, s.cfg.Identity.Recipient(), []byte("{}")), ready), "no header line"},
		"empty":          {raw(11, nil, ready), "cannot be decrypted"},
		"not age":        {raw(12, []byte("hello"), ready), "cannot be decrypted"},
		"other key":      {raw(13, encrypt(t, other.Recipient(), []byte("{}\n")), ready), "cannot be decrypted"},
		"not a JPEG":     {seal(t, s, metaOf(id(14), Photo), []byte("GIF89a")), "no JPEG"},
		"half a JPEG":    {seal(t, s, metaOf(id(15), Photo), jpg[:len(jpg)-9]), "no end"},
		"not an MP4":     {seal(t, s, metaOf(id(16), Clip), jpg), "cannot be stored"},
		"cut":            {raw(20, whole[:len(whole)-500], ready), "not marked as interrupted"},
		"changed":        {raw(20, changed, ready), "not marked as interrupted"},
		"photo cut":      {raw(20, whole[:len(whole)-500], interrupted), "not whole"},
		"cut in the age": {raw(21, whole[:40], interrupted), "cannot be decrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, url, c.item)
			drain(t, s)
			got := receiptOf(t, s, c.item.id())
			if got.State != Refused || !strings.Contains(got.Reason, c.reason) || got.SHA256 != digest(c.item.cipher) {
				t.Errorf("receipt %+v", got)
			}
			wantStatus(t, create(t, url, c.item), http.StatusUnprocessableEntity)
			wantNothingElse(t, s)
			check(t, os.Remove(s.receiptPath(c.item.id())))
		})
	}
	if list := s.List("anna"); len(list) > 0 {
		t.Errorf("stored: %+v", list)
	}
}
