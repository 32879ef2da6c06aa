package doctor

import (
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware"
)

// What is made of figures: each limit from both sides.
func TestJudgements(t *testing.T) {
	camera := func(rate, mean float64, most uint8) Verdict {
		return JudgeCamera(CameraReading{Name: "/dev/video0", Want: 30, Rate: rate, Luma: Luma{Mean: mean, Most: most}}, nil)
	}
	encoder := func(came int, key bool, each time.Duration) Verdict {
		return JudgeEncoder(EncoderReading{Name: "m2m", Pictures: 30, Came: came, KeyAsked: key, Each: each, Period: 33 * time.Millisecond}, nil)
	}
	microphone := func(level, clipped float64, zero bool) Verdict {
		return JudgeMicrophone(MicrophoneReading{Name: "hw:1,0", Samples: 48000, Level: level, Clipped: clipped, Zero: zero}, nil)
	}
	uplink := func(sent, lost float64, rtt time.Duration) Verdict {
		return JudgeUplink(UplinkReading{Asked: 2e6, Sent: sent, Lost: lost, RTT: rtt, Reports: 5})
	}
	disk := func(free int64, sync time.Duration, err error) Verdict {
		return JudgeDisk(DiskReading{Dir: "/var/lib/bril", Free: free, Sync: sync, Err: err})
	}
	told := func(off time.Duration, ntp bool) Verdict {
		return JudgeClock(ClockReading{Disciplined: ntp, Told: true, Verified: true, Server: "s", Offset: off})
	}
	spool := func(bytes int64, oldest time.Duration) Verdict {
		return JudgeSpool(SpoolReading{Bytes: bytes, Quota: 1000, Oldest: oldest})
	}
	const gb = 1 << 30
	tests := []struct {
		name  string
		v     Verdict
		want  Status
		words string
	}{
		{"camera", camera(29.9, 110, 220), OK, "29.9 pictures"},
		{"rather slow camera", camera(23.9, 110, 220), Warn, "slow"},
		{"slow camera", camera(17.9, 110, 220), Fail, "too slow"},
		{"still camera", camera(0, 0, 0), Fail, "no picture"},
		{"black", camera(30, 18, 40), Fail, "black"},
		{"a dark room with a lamp", camera(30, 18, 200), OK, ""},
		{"overexposed", camera(30, 232, 235), Warn, "overexposed"},
		{"encoder", encoder(30, true, 5*time.Millisecond), OK, "5.0 ms"},
		{"encoder that drops", encoder(20, true, 5*time.Millisecond), Fail, "20 of 30"},
		{"no key frame", encoder(30, false, 5*time.Millisecond), Fail, "key frame"},
		{"hardly fast enough", encoder(30, true, 30*time.Millisecond), Warn, "hardly"},
		{"slow encoder", encoder(30, true, 40*time.Millisecond), Fail, "too slow"},
		{"microphone", microphone(-40, 0, false), OK, "-40 dBFS"},
		{"dead", microphone(-96, 0, true), Fail, "dead silence"},
		{"quiet", microphone(-80, 0, false), Warn, "hardly anything"},
		{"clips a little", microphone(-3, 0.002, false), Warn, "now and then"},
		{"clips", microphone(-1, 0.3, false), Fail, "30 %"},
		{"uplink", uplink(2e6, 0.01, 40*time.Millisecond), OK, "round trip 40 ms"},
		{"some loss", uplink(2e6, 0.03, 0), Warn, "3.0 %"},
		{"rather slow", uplink(1.7e6, 0, 0), Warn, "rather slow"},
		{"loss", uplink(2e6, 0.2, 0), Fail, "loses packets"},
		{"slow", uplink(2e6, 0.6, 0), Fail, "uplink is slow"},
		{"a queue on the way", uplink(2e6, 0, time.Second), Fail, "1000 ms"},
		{"disk", disk(10*gb, 12*time.Millisecond, nil), OK, "12 ms"},
		{"little room", disk(100<<20, 12*time.Millisecond, nil), Warn, "little"},
		{"full", disk(1<<20, 0, nil), Fail, "full"},
		{"no space", disk(10*gb, 0, unix.ENOSPC), Fail, "full"},
		{"read-only", disk(10*gb, 0, unix.EROFS), Fail, "read-only"},
		{"slow disk", disk(10*gb, 2*time.Second, nil), Fail, "far too slow"},
		{"rather slow disk", disk(10*gb, 300*time.Millisecond, nil), Warn, "slow"},
		{"clock", told(time.Second, true), OK, "the same time"},
		{"clock behind", told(-time.Minute, false), Warn, "1m0s earlier"},
		{"clock far ahead", told(time.Hour, true), Fail, "1h0m0s later"},
		{"nobody told", JudgeClock(ClockReading{}), Warn, "NTP has not"},
		{"spool", spool(100, 0), OK, "0.0 MB"},
		{"spool fills", spool(800, 0), Warn, "filling up"},
		{"spool is full", spool(960, 0), Fail, "full"},
		{"spool waits", spool(100, 48*time.Hour), Warn, "48 hours"},
		{"battery", JudgeBattery(PowerReading{Battery: &hardware.Battery{Percent: 90, Level: hardware.BatteryFine}}), OK, "90 %"},
		{"low", JudgeBattery(PowerReading{Battery: &hardware.Battery{Percent: 15, Level: hardware.BatteryLow}}), Warn, "low"},
		{"empty and charging", JudgeBattery(PowerReading{Battery: &hardware.Battery{Percent: 2, Charging: true, Level: hardware.BatteryFine}}), OK, "charging"},
		{"no battery", JudgeBattery(PowerReading{}), Skipped, "no battery"},
		{"warm", JudgeTemperature(PowerReading{Temperature: &hardware.Temperature{Celsius: 72, Level: hardware.HeatWarm}}), Warn, "72 °C"},
		{"kernel", JudgeKernel(KernelReading{Release: "6.12", Major: 6, Minor: 12, Cameras: 1}), OK, "1 camera, 0 sound cards"},
		{"old kernel", JudgeKernel(KernelReading{Release: "5.4", Major: 5, Minor: 4}), Fail, "too old"},
		{"no light", JudgeLight(LightReading{Absent: true}, nil), Warn, "no capture light"},
		{"no press", JudgeButtons([]ButtonReading{{Name: "button1", Asked: true}}), Warn, "no press of button1"},
		{"presses", JudgeButtons([]ButtonReading{{Name: "button1", Asked: true, Pressed: true}}), OK, "seen"},
	}
	for _, test := range tests {
		if test.v.Status != test.want || !strings.Contains(test.v.Message, test.words) {
			t.Errorf("%s: %s: %s", test.name, test.v.Status, test.v.Message)
		}
		if test.v.Hint == "" && (test.v.Status == Fail || test.v.Status == Warn) {
			t.Errorf("%s has no hint: %s", test.name, test.v.Message)
		}
	}
}

func TestJudgeTLSHasWordsForEachFault(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour), DNSNames: []string{"other.example"}}
	early := &x509.Certificate{NotBefore: now.Add(24 * time.Hour), NotAfter: now.Add(48 * time.Hour)}
	for words, err := range map[string]error{
		"has expired: on 2026-11-30":       x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired},
		"not yet valid: from 2026-12-02":   x509.CertificateInvalidError{Cert: early, Reason: x509.Expired},
		"for another name: other.example":  x509.HostnameError{Certificate: leaf, Host: "a.example"},
		"of an unknown authority":          x509.UnknownAuthorityError{Cert: leaf},
		"TLS with a.example: no handshake": errors.New("no handshake"),
	} {
		v := JudgeTLS([]Certified{{Name: "a.example", Err: err}}, now)
		if v.Status != Fail || !strings.Contains(v.Message, words) || v.Hint == "" {
			t.Errorf("%q: %+v", words, v)
		}
	}
	soon := []Certified{{Name: "a.example", NotAfter: now.Add(5 * 24 * time.Hour)}, {Name: "b.example", NotAfter: now.Add(90 * 24 * time.Hour)}}
	if v := JudgeTLS(soon, now); v.Status != Warn || *v.Measured != 5 {
		t.Errorf("%+v", v)
	}
}

func TestDeviceCodes(t *testing.T) {
	if v := JudgeCamera(CameraReading{}, os.ErrPermission); v.Code != codePermission {
		t.Errorf("%+v", v)
	}
	if v := JudgeOutput("", 0, os.ErrNotExist); v.Code != codeDevice {
		t.Errorf("%+v", v)
	}
	if v := JudgeConfiguration("bril.yaml", errors.New("line 3"), nil); v.Code != codeConfiguration {
		t.Errorf("%+v", v)
	}
}
