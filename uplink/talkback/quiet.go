package talkback

import "math"

const (
	silenceLevel = 60.0  // of a sample's 32767: -55 dBFS
	overFloor    = 2.8   // speech is 9 dB above what is always there
	floorRise    = 1.007 // in 20 ms: 3 dB a second
	minFloor     = 20.0
	// maxFloor is beyond what is speech at any loudness: noise that goes on and on, as
	// in a car, comes to count as none, or the advisor would stay unheard.
	maxFloor   = 32768 / overFloor
	firstFloor = 1200.0 // at most: who begins with a word is heard from the first on
)

// level tells speech from what lies behind it.
type level struct{ floor float64 }

// speech says whether samples, some 20 ms of them, hold any.
func (l *level) speech(samples []int16) bool {
	loud := rms(samples)
	switch {
	case l.floor == 0:
		l.floor = min(max(loud, minFloor), firstFloor)
	case loud <= l.floor:
		l.floor = min(max(loud, minFloor), maxFloor)
	default:
		l.floor = min(l.floor*floorRise, maxFloor)
	}
	return loud > silenceLevel && loud > overFloor*l.floor
}

func rms(samples []int16) float64 {
	if len(samples) == 0 {
		return 0
	}
	var sum int64
	for _, s := range samples {
		sum += int64(s) * int64(s)
	}
	return math.Sqrt(float64(sum) / float64(len(samples)))
}

// seam is over how many samples one piece goes over into the next.
const seam = 5 * ms / 2

// shorten takes n samples out of the middle of sound, and returns what is left; all
// of it where that is too short for a seam.
func shorten(sound []int16, n int) []int16 {
	n = min(n, len(sound)-2*seam)
	if n <= 0 {
		return sound
	}
	at := (len(sound) - n - seam) / 2
	for i := range seam {
		sound[at+i] = mix(sound[at+i], sound[at+n+i], i)
	}
	return append(sound[:at+seam], sound[at+n+seam:]...)
}

// lengthen repeats n samples of the middle of sound, which has capacity for them,
// and returns it.
func lengthen(sound []int16, n int) []int16 {
	length := len(sound)
	n = min(n, length-2*seam, cap(sound)-length)
	if n <= 0 {
		return sound
	}
	at := n + (length-n-seam)/2 // what follows was heard n samples earlier
	sound = sound[:length+n]
	copy(sound[at+seam:], sound[at+seam-n:length])
	for i := seam - 1; i >= 0; i-- { // from the end: what is read lies before
		sound[at+i] = mix(sound[at+i], sound[at+i-n], i)
	}
	return sound
}

func mix(a, b int16, i int) int16 {
	return int16((int32(a)*int32(seam-i) + int32(b)*int32(i)) / seam)
}
