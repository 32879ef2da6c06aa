package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/uplink/enrol"
	secret "github.com/bril-edge/bril/uplink/enrol/token"
)

func statusOf(r doctor.Report, id doctor.ID) doctor.Status {
	for _, c := range r.Checks {
		if c.ID == id {
			return c.Status
		}
	}
	return ""
}

// The daemon looks by itself, under its own light, and asks for presses of its own
// buttons, which then do nothing else.
func TestDoctorOfTheDaemon(t *testing.T) {
	g := newGlasses(t)
	r := startGlasses(t, g, glassesConfig(startEndpoint(t)), false)
	r.until("ready", func(s control.Status) bool { return s.State == "ready" })
	request := control.DoctorRequest{Only: []doctor.ID{doctor.Camera, doctor.Microphone, doctor.Buttons, doctor.Light}}
	press := map[string]*fakeButton{"press button1": g.button1, "press button2": g.button2}
	report, err := r.Doctor(t.Context(), request, func(l control.DoctorLine) {
		if b := press[l.Ask]; b != nil {
			b.gesture <- hardware.Long // which goes live at other times
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range request.Only {
		if s := statusOf(report, id); s == doctor.Skipped || s == "" || id == doctor.Buttons && s != doctor.OK || id == doctor.Light && s != doctor.OK {
			t.Errorf("%s: %s, %+v", id, s, report)
		}
	}
	if s := r.Status(); s.State != "ready" {
		t.Errorf("a press that was asked for made it %s", s.State)
	}
	g.wantDark(r, "after an examination")
}

// During a conversation nothing that it needs is touched, and one that begins has the
// camera at once.
func TestDoctorLeavesAConversationAlone(t *testing.T) {
	g := newGlasses(t)
	cfg := glassesConfig(startEndpoint(t))
	cfg.Provisioning.KeyFile = provisionKey(t)
	cfg.Board.Buttons.Button2.Long = configs.ActionLive
	r := startGlasses(t, g, cfg, true)
	r.until("live", func(s control.Status) bool { return s.State == "live" })
	before := r.Status().Video.Captured
	report, err := r.Doctor(t.Context(), control.DoctorRequest{}, func(control.DoctorLine) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []doctor.ID{doctor.Camera, doctor.Encoder, doctor.Microphone, doctor.Output, doctor.Buttons, doctor.Uplink, doctor.WHIP} {
		if s := statusOf(report, id); s != doctor.Skipped {
			t.Errorf("%s is %s during a conversation", id, s)
		}
	}
	if s := statusOf(report, doctor.TCP); s != doctor.OK {
		t.Errorf("tcp: %s", s)
	}
	r.until("more pictures", func(s control.Status) bool { return s.State == "live" && s.Video.Captured > before })
	if _, err := r.Live(t.Context(), control.Off); err != nil {
		t.Fatal(err)
	}
	r.until("ready", func(s control.Status) bool { return s.State == "ready" && s.Camera == "" })

	// The examination waits for a press of another button when somebody goes live.
	asked, told := make(chan struct{}, 2), make(chan doctor.Report, 1)
	go func() {
		report, err := r.Doctor(context.WithoutCancel(t.Context()), control.DoctorRequest{Only: []doctor.ID{doctor.Buttons}}, func(l control.DoctorLine) {
			if l.Ask != "" {
				asked <- struct{}{}
			}
		})
		if err != nil {
			t.Error(err)
		}
		told <- report
	}()
	<-asked
	if err := r.Provision(t.Context(), func(control.Provisioning) error { return nil }); !errors.Is(err, errExamined) {
		t.Errorf("a code is looked for during an examination: %v", err)
	}
	if _, err := r.Doctor(t.Context(), control.DoctorRequest{}, nil); !errors.Is(err, errExamined) {
		t.Errorf("a second examination: %v", err)
	}
	g.button2.gesture <- hardware.Long
	r.until("live again", func(s control.Status) bool { return s.State == "live" })
	if s := statusOf(<-told, doctor.Buttons); s != doctor.Skipped {
		t.Errorf("the examination that a conversation ended: %s", s)
	}
}

// An enrolled board is looked at as what it is; one that is revoked is told so first.
func TestDoctorOfAnEnrolledBoard(t *testing.T) {
	data := t.TempDir()
	server := runEndpoint(t, showroom.Config{Listen: "127.0.0.1:0", DataDir: data, TLSOwn: true, RequireEnrolment: true, Log: slog.New(slog.DiscardHandler)})
	socket, err := privacy.Dial(filepath.Join(data, privacy.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	admin := devices.NewClient(socket.HTTP())
	made, err := admin.NewToken(t.Context(), devices.Wanted{Name: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	word, err := secret.Parse(made.Text)
	if err != nil {
		t.Fatal(err)
	}
	p := healthy(t, server+"/whip/anna")
	p.cfg.Video.MaxBitRate = 500_000
	if _, err := enrol.Enrol(t.Context(), EnrolConfig(p.opts.StateDir, "test", p.opts.Log), server, word); err != nil {
		t.Fatal(err)
	}
	if report := p.examine(t); statusOf(report, doctor.Enrolment) != doctor.OK || statusOf(report, doctor.WHIP) != doctor.OK || report.Code() != 0 {
		t.Errorf("%+v", report)
	}
	if _, err := admin.Revoke(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	report := p.examine(t)
	wantFirst(t, report, doctor.Enrolment, "revoked", 1)
	if statusOf(report, doctor.WHIP) != doctor.Skipped {
		t.Errorf("%+v", report)
	}
}
