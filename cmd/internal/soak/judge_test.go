package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/uplink/spool"
	"github.com/bril-edge/bril/uplink/spool/audit"
)

// verdict counts what arrived.
type verdict struct {
	photos, clips, interrupted, unpromised, played int
}

func (v verdict) String() string {
	return fmt.Sprintf("arrived once: %d photos and %d clips, %d of them interrupted, %d not promised; %d clips played",
		v.photos, v.clips, v.interrupted, v.unpromised, v.played)
}

// judge compares what was promised with what the endpoint has.
func (s *siege) judge() (v verdict) {
	s.t.Helper()
	items := map[string]media.Listed{}
	contents := map[string]string{}
	for _, item := range s.endpoint.list(conversation) {
		if _, twice := items[item.ID]; twice {
			s.t.Errorf("%s is there twice", item.ID)
		}
		if other, twice := contents[item.SHA256]; twice {
			s.t.Errorf("%s has the same content as %s", item.ID, other)
		}
		items[item.ID], contents[item.SHA256] = item, item.ID
		s.item(item, &v)
	}
	s.promised(items, &v)
	s.files(items)
	s.audit(items)
	s.play(items, &v)
	return v
}

// promised finds what is missing.
func (s *siege) promised(items map[string]media.Listed, v *verdict) {
	s.t.Helper()
	l := s.ledger
	arrived := func(ids []string, what string) {
		for _, id := range ids {
			if _, ok := items[id]; !ok {
				s.t.Errorf("%s %s is missing", what, id)
			}
		}
	}
	arrived(sortedKeys(l.photos), "photo")
	arrived(sortedKeys(l.finished), "finished clip")
	arrived(sortedKeys(l.disk), "an item that was on the disk,")
	for _, id := range sortedKeys(l.begun) {
		if !l.empty[id] {
			arrived([]string{id}, "clip that was begun")
		}
	}
	for id := range items {
		if !l.photos[id] && l.finished[id] == 0 {
			v.unpromised++
		}
		if l.empty[id] || l.planted[id] {
			s.t.Errorf("%s arrived, and cannot have", id)
		}
	}
}

// item judges one that arrived.
func (s *siege) item(item media.Listed, v *verdict) {
	s.t.Helper()
	bad := func(format string, a ...any) { s.t.Errorf("%s %s: %s", item.Kind, item.ID, fmt.Sprintf(format, a...)) }
	data := s.get(item.URL, http.StatusOK)
	if int64(len(data)) != item.Bytes || hexSum(data) != item.SHA256 {
		bad("served are %d bytes with checksum %s, listed %d with %s", len(data), hexSum(data), item.Bytes, item.SHA256)
	}
	var receipt media.Receipt
	if err := json.Unmarshal(s.get("/api/uploads/"+item.ID+"/receipt", http.StatusOK), &receipt); err != nil || receipt.State != media.Stored {
		bad("its receipt is %+v, %v", receipt, err)
	}
	description := s.endpoint.description(item.ID)
	if description.State == string(spool.Interrupted) {
		v.interrupted++
	}
	was, seen := s.ledger.disk[item.ID]
	switch {
	case !seen:
	case receipt.SHA256 != was.sha256 || description.UploadSHA256 != was.sha256:
		bad("the device had checksum %s, the receipt has %s, the endpoint %s", was.sha256, receipt.SHA256, description.UploadSHA256)
	case description.State != string(was.state):
		bad("the device had it as %s, the endpoint as %s", was.state, description.State)
	case string(was.header.Kind) != string(item.Kind), was.header.Show != item.Show, !was.header.TakenAt.Equal(item.TakenAt):
		bad("the device had %+v, the endpoint has %+v", was.header, item)
	case item.Kind == media.Photo && was.plain != item.SHA256:
		bad("the device's photo had checksum %s, the endpoint's has %s", was.plain, item.SHA256)
	}
	if item.Kind == media.Clip {
		v.clips++
		return
	}
	v.photos++
	if picture, err := jpeg.Decode(bytes.NewReader(data)); err != nil || picture.Bounds().Dx() != 640 || picture.Bounds().Dy() != 480 {
		bad("it does not decode: %v", err)
	}
}

func (s *siege) get(path string, status int) []byte {
	s.t.Helper()
	response, err := http.Get(s.endpoint.url(path))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		s.t.Errorf("%s: %s, %v", path, response.Status, err)
	}
	return data
}

// files wants nothing at the endpoint that is not listed.
func (s *siege) files(items map[string]media.Listed) {
	s.t.Helper()
	var want []string
	for id, item := range items {
		want = append(want, filepath.Join(conversation, id+".json"), filepath.Join(conversation, filepath.Base(item.URL)))
	}
	root := filepath.Join(s.endpoint.data, "sessions")
	found, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for i, path := range found {
		found[i], _ = filepath.Rel(root, path)
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		s.t.Errorf("the endpoint has %d files instead of %d", len(found), len(want))
	}
	for _, dir := range []string{"uploads", "incoming"} {
		left, err := os.ReadDir(filepath.Join(s.endpoint.data, dir))
		if err != nil || len(left) > 0 {
			s.t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
	for id, end := range s.planted {
		if end == refused {
			s.get("/api/uploads/"+id+"/receipt", http.StatusUnprocessableEntity)
		}
	}
}

// audit wants each item in the log, in an unbroken chain, and the heads that were
// sent up in it.
func (s *siege) audit(items map[string]media.Listed) {
	s.t.Helper()
	path := filepath.Join(s.agent.state, "audit.log")
	log, err := audit.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := log.Verify(); err != nil || log.Damaged() != nil {
		s.t.Errorf("the audit log: %v, %v", err, log.Damaged())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	heads, events := map[string]bool{"": true}, map[string]map[audit.Event]int{}
	for line := range bytes.Lines(text) {
		var e audit.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			s.t.Fatal(err)
		}
		heads[e.Hash] = true
		if events[e.Item] == nil {
			events[e.Item] = map[audit.Event]int{}
		}
		events[e.Item][e.Event]++
	}
	for id := range items {
		n := events[id]
		if n[audit.Capture] != 1 || n[audit.Upload] != 1 || n[audit.Delete] != 1 {
			s.t.Errorf("the audit log has of %s %v", id, n)
		}
		if head := s.endpoint.description(id).Audit; !heads[head] {
			s.t.Errorf("with %s came the head %s, which the audit log does not have", id, head)
		}
	}
	for _, id := range log.Open() {
		if !s.ledger.planted[id] {
			s.t.Errorf("the audit log does not know that %s is gone", id)
		}
	}
}

// play lets ffmpeg play the clips, and ffprobe say how long they are.
func (s *siege) play(items map[string]media.Listed, v *verdict) {
	s.t.Helper()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			s.t.Logf("figure: the clips were not played: %s is missing: apt-get install ffmpeg", program)
			return
		}
	}
	clips := make(chan media.Listed)
	var players sync.WaitGroup
	for range 2 {
		players.Go(func() {
			for clip := range clips {
				playClip(s.t, filepath.Join(s.endpoint.data, "sessions", conversation, filepath.Base(clip.URL)), s.ledger.finished[clip.ID])
			}
		})
	}
	for _, item := range items {
		if item.Kind == media.Clip {
			v.played++
			clips <- item
		}
	}
	close(clips)
	players.Wait()
}

// playClip wants no word of complaint, and the length that was promised; 0 is none.
func playClip(t *testing.T, path string, promised float64) {
	t.Helper()
	// Pictures come when they come: ffmpeg's output would be of a fixed rate.
	said, err := exec.Command("ffmpeg", "-v", "warning", "-nostdin", "-xerror", "-i", path, "-enc_time_base", "1:90000", "-f", "null", "-").CombinedOutput()
	if err != nil || len(said) > 0 {
		t.Errorf("ffmpeg does not play %s: %v\n%s", path, err, said)
	}
	said, err = exec.Command("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path).CombinedOutput()
	length, parseErr := strconv.ParseFloat(strings.TrimSpace(string(said)), 64)
	if err != nil || parseErr != nil || length <= 0 {
		t.Errorf("ffprobe says of %s: %s, %v", path, said, err)
	}
	if promised > 0 && math.Abs(length-promised) > 0.1 {
		t.Errorf("%s is %.3f s long instead of %.3f s", path, length, promised)
	}
}
