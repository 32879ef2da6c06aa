package showroom

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
)

// deskProblem says what the desk refuses; nil for an error that is not its.
func deskProblem(err error) *problem {
	for _, known := range []struct {
		err    error
		status int
		word   string
	}{
		{desk.ErrUnknown, http.StatusNotFound, "unknown"},
		{desk.ErrNoShowroom, http.StatusNotFound, "no-showroom"},
		{desk.ErrUnknownAppointment, http.StatusNotFound, "unknown"},
		{desk.ErrUnknownCode, http.StatusNotFound, "unknown"},
		{desk.ErrUsedCode, http.StatusGone, "used"},
		{desk.ErrExpiredCode, http.StatusGone, "expired"},
		{desk.ErrCancelledCode, http.StatusGone, "cancelled"},
		{desk.ErrEnded, http.StatusConflict, "ended"},
		{desk.ErrNotYet, http.StatusConflict, "not-yet"},
		{desk.ErrRated, http.StatusConflict, "rated"},
		{desk.ErrTaken, http.StatusConflict, "taken"},
		{desk.ErrFixed, http.StatusConflict, "fixed"},
		{desk.ErrHeld, http.StatusConflict, "held"},
		{desk.ErrGone, http.StatusConflict, "gone"},
	} {
		if errors.Is(err, known.err) {
			return typed(known.status, known.word, known.err.Error())
		}
	}
	return deskWait(err)
}

// deskWait is a refusal that tells what to do instead.
func deskWait(err error) *problem {
	var early *desk.EarlyError
	var closed *desk.ClosedError
	var busy *desk.BusyError
	var many *desk.TooManyError
	switch {
	case errors.As(err, &early):
		p := typed(http.StatusTooEarly, "early", early.Error())
		p.OpensAt = utc(early.OpensAt)
		return p
	case errors.As(err, &closed):
		p := typed(http.StatusConflict, "closed", closed.Error())
		p.OpensAt = utc(closed.OpensAt)
		return p
	case errors.As(err, &busy):
		p := typed(http.StatusConflict, "busy", busy.Error())
		p.Next = utc(busy.Next)
		return p
	case errors.As(err, &many):
		p := typed(http.StatusTooManyRequests, "too-many", many.Error())
		p.retryAfter = strconv.Itoa(many.Seconds())
		return p
	case errors.Is(err, desk.ErrNoSlot):
		return fieldsProblem([]fieldProblem{{Field: "start", Detail: desk.ErrNoSlot.Error()}})
	}
	if fields := wrongFields(err); len(fields) > 0 {
		return fieldsProblem(fields)
	}
	return nil
}

func fieldsProblem(fields []fieldProblem) *problem {
	p := typed(http.StatusUnprocessableEntity, "fields", "some fields are not as they should be")
	p.Fields = fields
	return p
}

// wrongFields finds all of them in errors that were joined.
func wrongFields(err error) (list []fieldProblem) {
	switch err := err.(type) {
	case nil:
	case *desk.FieldError:
		list = append(list, fieldProblem{Field: err.Field, Detail: err.Detail})
	case interface{ Unwrap() []error }:
		for _, part := range err.Unwrap() {
			list = append(list, wrongFields(part)...)
		}
	case interface{ Unwrap() error }:
		list = wrongFields(err.Unwrap())
	}
	return list
}
