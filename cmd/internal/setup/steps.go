package setup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/bril-edge/bril/configs"
)

// hardware finds what there is.
func (s *setup) hardware(context.Context) (Step, error) {
	b, err := read(s.Path)
	if err != nil {
		return Step{}, err
	}
	if s.Choices.Profile != "" {
		b.cfg.Board.Profile = s.Choices.Profile
		if err := b.cfg.Validate(); err != nil {
			return Step{}, err
		}
	}
	if s.devices, err = s.Board.List(b.cfg); err != nil {
		return Step{}, err
	}
	d := s.devices
	done := Step{Status: OK, Message: fmt.Sprintf("%s; %s, %s, %s", d.Board.Title,
		count(len(d.Cameras), "camera"), count(len(d.Microphones), "microphone"), count(len(d.Encoders), "encoder"))}
	switch {
	case d.Board.Light != nil && d.Board.Light.Problem != "":
		done.Status = Warn
		done.Message += fmt.Sprintf("; the capture light %s is not there: %s", d.Board.Light.Name, d.Board.Light.Problem)
		done.Hint = "nothing is captured without it; bril devices says how it is wired"
	case len(d.Cameras) == 0 && s.Choices.Camera == "" && b.cfg.Camera.Source.Kind == configs.Auto:
		done.Status, done.Hint = Warn, "connect the camera; bril devices lists what is found"
	}
	return done, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// configuration proposes one, and writes it where it says something new.
func (s *setup) configuration(ctx context.Context) (Step, error) {
	was, err := read(s.Path)
	if err != nil {
		return Step{}, err
	}
	cfg, lines, err := s.propose(ctx, was.cfg, was.set)
	if err != nil {
		return Step{}, err
	}
	s.cfg = cfg
	done := Step{Status: OK, Lines: lines, Message: s.Path + " is as it should be"}
	same, err := equal(was.cfg, cfg)
	if err != nil || same && was.exists && !s.Print {
		return done, err
	}
	data, err := text(cfg, was.set, lines)
	if err != nil {
		return done, err
	}
	if s.Print {
		done.Message, s.report.Text = "proposed; nothing is written", string(data)
		return done, nil
	}
	if err := write(s.Path, data); err != nil {
		return done, err
	}
	s.fresh = true
	done.Status, done.Message = Changed, s.Path+" is written"
	if was.exists {
		done.Message += "; the one of before is " + s.Path + Old
	}
	return done, nil
}

func equal(a, b configs.Config) (bool, error) {
	x, err := a.JSON()
	if err != nil {
		return false, err
	}
	y, err := b.JSON()
	return string(x) == string(y), err
}

// snapshot saves a picture to look at.
func (s *setup) snapshot(ctx context.Context) (Step, error) {
	file := s.Picture
	if file == "" && s.Ask != nil && s.cfg.Camera.Source.Kind != configs.None {
		answer, err := s.Ask.Ask(ctx, "File for a picture to look at, such as /tmp/bril.jpg, or none", "none", func(string) error { return nil })
		if err != nil {
			return Step{}, err
		}
		if answer != "none" {
			file = answer
		}
	}
	switch {
	case file == "":
		return Step{Status: Skipped, Message: "no picture was asked for", Hint: "--snapshot FILE.jpg saves one"}, nil
	case s.cfg.Camera.Source.Kind == configs.None:
		return Step{Status: Skipped, Message: "the configuration has no camera"}, nil
	}
	back := func(context.Context) error { return nil }
	if s.Manager.Running(ctx) {
		err := s.free(ctx)
		if err != nil {
			return Step{}, err
		}
		switch back, err = s.Manager.Stop(ctx); {
		case err != nil:
			return Step{}, err
		case back == nil:
			return Step{Status: Skipped, Message: "the daemon runs, and has the camera and its light", Hint: "end it, and bril setup once more"}, nil
		}
	}
	picture, err := s.Board.Snapshot(ctx, s.cfg)
	// Also where it failed, or was interrupted: what ran before runs again.
	if err = errors.Join(err, back(context.WithoutCancel(ctx))); err != nil {
		return Step{}, err
	}
	if err := replace(file, picture, 0o600, func() error { return nil }); err != nil {
		return Step{}, fmt.Errorf("save the snapshot: %w", err)
	}
	return Step{Status: OK, Message: fmt.Sprintf("%s shows what the camera sees (%d kB)", file, (len(picture)+999)/1000)}, nil
}

// test has the doctor look at light and buttons only: that is for hands that are still
// at the board.
func (s *setup) test(ctx context.Context) (Step, error) {
	b := s.devices.Board
	switch {
	case s.Doctor == nil:
		return Step{Status: Skipped, Message: "no test was wanted"}, nil
	case b.Light == nil && len(b.Buttons) == 0:
		return Step{Status: Skipped, Message: "the board has no light and no buttons"}, nil
	}
	input := !s.NoInput && s.Ask != nil
	if input {
		yes, err := s.Ask.Yes(ctx, "Test the light and the buttons now? You will be asked to press each", true)
		if err != nil {
			return Step{}, err
		}
		input = yes
	}
	checks, err := s.Doctor.Check(ctx, []string{"buttons", "light"}, input)
	return examined(checks), err
}

// enrolment gives the board its certificate.
func (s *setup) enrolment(ctx context.Context) (Step, error) {
	name, at, err := s.Enrol.Enrolled(ctx)
	if err != nil {
		return Step{}, err
	}
	if at != "" {
		if s.Server != "" && !sameServer(s.Server, at) {
			return Step{}, hinted{fmt.Errorf("enrol at %s: the board is enrolled at %s already", s.Server, at), "bril enrol --reset, and bril setup once more"}
		}
		s.enrolled = true
		return Step{Status: OK, Message: fmt.Sprintf("enrolled as %s at %s", name, at)}, nil
	}
	server := s.Server
	if server == "" && s.Ask != nil {
		if server, err = s.Ask.Ask(ctx, "Server to enrol at, such as https://showroom.example, or none", "none", checkServer); err != nil {
			return Step{}, err
		}
	}
	if server == "" || server == "none" {
		return Step{Status: Skipped, Message: "not enrolled", Hint: "bril enrol --server URL --token-file FILE"}, nil
	}
	if name, err = s.Enrol.Enrol(ctx, server); err != nil {
		return Step{}, err
	}
	s.enrolled = true
	return Step{Status: Changed, Message: fmt.Sprintf("enrolled as %s at %s", name, server)}, nil
}

func sameServer(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

func checkServer(s string) error {
	if s == "none" {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no address: write https://HOST or https://HOST:PORT, or none", s)
	}
	return nil
}

// service has the daemon started, now and at each boot.
func (s *setup) service(ctx context.Context) (Step, error) {
	start := s.Service
	if start && s.Ask != nil {
		yes, err := s.Ask.Yes(ctx, "Start the service now, and at each boot?", true)
		if err != nil {
			return Step{}, err
		}
		start = yes
	}
	if !start {
		return Step{Status: Skipped, Message: "the service is left as it is", Hint: "systemctl enable --now bril"}, nil
	}
	if err := s.free(ctx); err != nil && s.fresh {
		return Step{}, err
	}
	return s.Manager.Start(ctx, s.fresh)
}

// board is what the doctor looks at where the board knows no endpoint yet.
var board = []string{
	"kernel", "permissions", "camera", "encoder", "microphone", "output", "battery", "temperature", "disk", "configuration", "spool",
}

// examine lets the doctor look at everything, but for an endpoint that nobody has
// named.
func (s *setup) examine(ctx context.Context) (Step, error) {
	if s.Doctor == nil {
		return Step{Status: Skipped, Message: "no test was wanted"}, nil
	}
	only := []string(nil)
	if !s.enrolled {
		only = board
	}
	checks, err := s.Doctor.Check(ctx, only, false)
	done := examined(checks)
	if err == nil && done.Status == Failed {
		err = hinted{errors.New("the doctor is not content: " + done.Message), done.Hint}
	}
	return done, err
}

// examined is the worst of the checks; of two that are as bad the first, on which the
// others may depend.
func examined(checks []Check) Step {
	done := Step{Status: OK, Checks: checks}
	bad := 0
	for _, c := range checks {
		status, known := map[string]Status{"fail": Failed, "warn": Warn}[c.Status]
		if !known {
			continue
		}
		bad++
		if done.Status == OK || done.Status == Warn && status == Failed {
			done.Status, done.Hint, done.Message = status, c.Hint, c.ID+": "+c.Message
		}
	}
	if bad == 0 {
		done.Message = count(len(checks), "check") + ", and nothing to mend"
	}
	return done
}
