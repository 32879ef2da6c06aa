package cli_test

import (
	"context"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
)

// unexamined is what daemons of tests are that are not examined.
type unexamined struct{}

func (unexamined) Doctor(context.Context, control.DoctorRequest, func(control.DoctorLine)) (doctor.Report, error) {
	return doctor.NewReport(nil), nil
}
