package cue

import (
	"slices"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/session"
)

func TestQueue(t *testing.T) {
	const (
		live, paused, ended, itself = session.CueLive, session.CuePaused, session.CueEnded, session.CueEndedItself
		ending, refused             = session.CueEnding, session.CueRefused
		poor, frozen                = session.CuePoorNetwork, session.CueFrozen
		battery, heat               = session.CueBattery, session.CueHeat
		photo, clip, clipEnd        = session.CuePhoto, session.CueClip, session.CueClipEnd
	)
	type cues = []session.Cue
	tests := []struct {
		name    string
		playing session.Cue
		push    cues
		waiting cues
		cut     bool
	}{
		{"one", "", cues{live}, cues{live}, false},
		{"the same", "", cues{heat, heat}, cues{heat}, false},
		{"what is being said", live, cues{live}, nil, false},
		{"it is over before it was heard", "", cues{live, ended}, cues{ended}, false},
		{"it is over while it is heard", live, cues{ended}, cues{ended}, true},
		{"there and back again", live, cues{paused, live}, nil, true},
		{"trouble that has gone", "", cues{poor, live}, cues{live}, false},
		{"only the last of many", "", cues{live, poor, frozen, paused, live, itself}, cues{itself}, false},
		{"the end does not come any more", "", cues{ending, ended}, cues{ended}, false},
		{"the end while it is announced", ending, cues{itself}, cues{itself}, true},
		{"an answer before a warning", "", cues{battery, heat, live}, cues{live, battery, heat}, false},
		{"a warning is not cut", battery, cues{ended}, cues{ended}, false},
		{"an answer stays", "", cues{refused, live}, cues{refused, live}, false},
		{"two photos are two", photo, cues{photo}, cues{photo}, false},
		{"not more than one photo waits", photo, cues{photo, photo}, cues{photo}, false},
		{"a clip that has ended meanwhile", "", cues{clip, photo, clipEnd}, cues{photo, clipEnd}, false},
		{"a clip's end while its beginning is heard", clip, cues{clipEnd}, cues{clipEnd}, true},
		{"a photo does not cut what is said", live, cues{photo}, cues{photo}, false},
		{"the customer comes back", "", cues{session.CueLeft, session.CueJoined}, cues{session.CueJoined}, false},
		{"the customer leaves while the network is spoken of", session.CueTheirNetwork, cues{session.CueLeft}, cues{session.CueLeft}, true},
		{"the customer has ended it", "", cues{session.CueLeft, itself}, cues{itself}, false},
		{"a thumb after the end", "", cues{session.CueThumbUp, itself}, cues{itself, session.CueThumbUp}, false},
		{"it rings while live", live, cues{session.CueRing, session.CueRing}, cues{session.CueRing}, false},
		{"everything", heat, cues{battery, ending, refused, poor}, cues{refused, poor, ending, battery}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := queue{playing: test.playing}
			cut := false
			for _, c := range test.push {
				cut = q.push(c) || cut
			}
			if !slices.Equal(q.waiting, test.waiting) || cut != test.cut {
				t.Errorf("%v wait, cut %v; want %v, %v", q.waiting, cut, test.waiting, test.cut)
			}
			for _, want := range test.waiting {
				if c, ok := q.next(); !ok || c != want || q.playing != want {
					t.Errorf("next is %q, %v; want %q", c, ok, want)
				}
			}
			if c, ok := q.next(); ok || q.playing != "" {
				t.Errorf("%q after the last", c)
			}
		})
	}
}

// Whatever is pushed, the queue stays short and holds nothing twice.
func FuzzQueue(f *testing.F) {
	f.Add([]byte("0123456789"))
	f.Add([]byte("0n1n2n"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var q queue
		for _, b := range script {
			if b == 'n' {
				q.next()
			} else {
				q.push(All()[int(b)%len(All())])
			}
			stand := slices.DeleteFunc(slices.Clone(q.waiting), func(c session.Cue) bool { return !standing(c) })
			sorted := slices.Sorted(slices.Values(q.waiting))
			if len(stand) > 1 || len(q.waiting) > 13 || len(slices.Compact(sorted)) != len(q.waiting) {
				t.Fatalf("%v", q.waiting)
			}
			if !slices.IsSortedFunc(q.waiting, func(a, b session.Cue) int { return rank(a) - rank(b) }) {
				t.Fatalf("%v: a warning before an answer", q.waiting)
			}
		}
	})
}
