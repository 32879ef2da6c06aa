package doctor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func check(id ID, v Verdict, needs ...ID) Check {
	return Check{ID: id, Needs: needs, Run: func(context.Context) Verdict { return v }}
}

func statuses(r Report) (list []Status) {
	for _, c := range r.Checks {
		list = append(list, c.Status)
	}
	return list
}

func TestWhatDependsOnAFailureIsSkipped(t *testing.T) {
	checks := []Check{
		check(Camera, good(""), Configuration), check(DNS, bad("no", "")), check(TCP, good(""), DNS), check(TLS, good(""), TCP),
		check(WHIP, good("")), check(Configuration, bad("typo", "").code(codeConfiguration)),
	}
	var told []ID
	r, err := Run(t.Context(), checks, Options{}, func(c Result) { told = append(told, c.ID) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []Status{Skipped, Fail, Skipped, Skipped, OK, Fail}; !slices.Equal(statuses(r), want) {
		t.Errorf("%v, not %v", statuses(r), want)
	}
	if want := []ID{Camera, DNS, TCP, TLS, WHIP, Configuration}; !slices.Equal(told, want) {
		t.Errorf("told %v", told)
	}
	if on := r.Checks[3].On; on != DNS {
		t.Errorf("tls is skipped on %q", on)
	}
	if r.Result != Fail || r.Code() != codeFailed {
		t.Errorf("%v %d", r.Result, r.Code())
	}
	// What is not asked for is taken for well.
	if r, _ = Run(t.Context(), checks, Options{Only: []ID{Camera, TLS}}, nil); r.Result != OK || r.Code() != 0 || len(r.Checks) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestCode(t *testing.T) {
	r := NewReport([]Result{{Kernel, good("")}, {Spool, look("", "")}, {Camera, bad("", "").code(codeDevice)}, {DNS, bad("", "")}})
	if r.Result != Fail || r.Code() != codeDevice {
		t.Errorf("%v %d", r.Result, r.Code())
	}
	if r = NewReport([]Result{{Spool, look("", "")}, {Camera, Skip("")}}); r.Result != Warn || r.Code() != 0 {
		t.Errorf("%v %d", r.Result, r.Code())
	}
}

// Two checks of one lane never run at once, others do.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(id ID, lane Lane) Check {
			return Check{ID: id, Lane: lane, Run: func(context.Context) Verdict {
				time.Sleep(time.Second)
				return good("")
			}}
		}
		begun := time.Now()
		_, err := Run(t.Context(), []Check{slow(Camera, Board), slow(Encoder, Board), slow(Uplink, Network), slow(DNS, ""), slow(TCP, "")}, Options{}, nil)
		if took := time.Since(begun); err != nil || took != 2*time.Second {
			t.Errorf("%v, %v", took, err)
		}
	})
}

func TestConversation(t *testing.T) {
	checks := []Check{check(Kernel, good("")), {ID: Camera, Disturbs: true, Run: func(context.Context) Verdict {
		t.Error("the camera is used")
		return good("")
	}}}
	r, err := Run(t.Context(), checks, Options{Live: true}, nil)
	if want := []Status{OK, Skipped}; err != nil || !slices.Equal(statuses(r), want) || r.Result != OK {
		t.Errorf("%+v, %v", r, err)
	}
	// One that begins meanwhile.
	ctx, cancel := context.WithCancelCause(t.Context())
	checks[1].Run = func(ctx context.Context) Verdict {
		cancel(ErrConversation)
		<-ctx.Done()
		return bad("cut", "")
	}
	checks = append(checks, check(WHIP, good(""), Camera))
	if r, err = Run(ctx, checks, Options{}, nil); err != nil || !slices.Equal(statuses(r), []Status{OK, Skipped, Skipped}) {
		t.Errorf("%+v, %v", r, err)
	}
	// The user's own end is another thing.
	own, stop := context.WithCancel(t.Context())
	stop()
	if _, err = Run(own, checks, Options{}, func(Result) { t.Error("told") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), []Check{{ID: DNS, Run: func(ctx context.Context) Verdict {
			<-ctx.Done()
			return bad("look up", "")
		}}}, Options{}, nil)
		if err != nil || r.Checks[0].Message != "no result within 20s: look up" {
			t.Errorf("%+v %v", r, err)
		}
	})
}
