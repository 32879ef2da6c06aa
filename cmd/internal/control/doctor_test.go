package control

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/doctor"
)

// Doctor makes fake an Examined.
func (f *fake) Doctor(ctx context.Context, request DoctorRequest, tell func(DoctorLine)) (doctor.Report, error) {
	if request.NoInput {
		return doctor.Report{}, errors.New("being examined already")
	}
	result := doctor.Result{ID: doctor.DNS, Verdict: doctor.Verdict{Status: doctor.Fail, Message: "no answer"}}
	tell(DoctorLine{Ask: "press button1"})
	tell(DoctorLine{Result: &result})
	return doctor.NewReport([]doctor.Result{result}), nil
}

func TestDoctor(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{}})
	c := client(t, path)
	var asked []string
	report, err := c.Doctor(t.Context(), DoctorRequest{Only: []doctor.ID{doctor.DNS}}, func(l DoctorLine) {
		if l.Result != nil {
			asked = append(asked, string(l.Result.ID))
		}
		asked = append(asked, l.Ask)
	})
	if err != nil || report.Result != doctor.Fail || !slices.Equal(asked, []string{"press button1", "dns", ""}) {
		t.Errorf("%+v, %q, %v", report, asked, err)
	}
	var p *Problem
	if _, err = c.Doctor(t.Context(), DoctorRequest{NoInput: true}, func(DoctorLine) {}); !errors.As(err, &p) || p.Message != "being examined already" {
		t.Error(err)
	}
	if _, err = c.Doctor(t.Context(), DoctorRequest{Only: []doctor.ID{"tea"}}, nil); !errors.As(err, &p) || p.Code != codeUsage {
		t.Error(err)
	}
}
