package desk

import (
	"errors"
	"fmt"
	"time"
)

// Errors of the customer's and the advisor's calls. They are written for clients.
var (
	ErrUnknown    = errors.New("nothing is known of this conversation")
	ErrEnded      = errors.New("this conversation is over")
	ErrNotYet     = errors.New("this conversation has not begun")
	ErrRated      = errors.New("this conversation has been rated")
	ErrNoShowroom = errors.New("there is no such showroom")

	ErrHeld = errors.New("this name is held by glasses with another token")
	ErrGone = errors.New("this call is gone")
)

// Errors of codes: what Join says of one that does not open, and of links to
// manage an appointment. EarlyError is one of them too.
var (
	ErrUnknownCode   = errors.New("this is not a code of ours")
	ErrUsedCode      = errors.New("this code has been used: its conversation is over")
	ErrExpiredCode   = errors.New("this code has expired: its appointment is past")
	ErrCancelledCode = errors.New("the appointment of this code was cancelled")

	ErrUnknownAppointment = errors.New("this is not a link to an appointment of ours")
	ErrTaken              = errors.New("this slot is taken")
	ErrNoSlot             = errors.New("no appointment can begin at this time")
	ErrFixed              = errors.New("this appointment can no longer be changed")
)

// EarlyError says that an appointment cannot be joined yet.
type EarlyError struct{ OpensAt time.Time }

func (e *EarlyError) Error() string {
	return "this appointment opens at " + e.OpensAt.UTC().Format(time.RFC3339)
}

// ClosedError says that a showroom is closed.
type ClosedError struct{ OpensAt time.Time } // zero when that is not known

func (e *ClosedError) Error() string { return "the showroom is closed" }

// BusyError says that no glasses are free.
type BusyError struct{ Next time.Time } // the next slot that can be booked; zero for none

func (e *BusyError) Error() string { return "all advisors are busy" }

// TooManyError asks a client to wait.
type TooManyError struct{ RetryAfter time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many tries: try again in %d s", e.Seconds())
}

// Seconds is for the header Retry-After: at least 1.
func (e *TooManyError) Seconds() int { return max(1, int((e.RetryAfter+time.Second-1)/time.Second)) }

// FieldError says what is wrong with what a customer filled in.
type FieldError struct{ Field, Detail string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }
