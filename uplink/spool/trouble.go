package spool

import (
	"errors"

	"golang.org/x/sys/unix"
)

// DiskError is a failure of the disk that holds the spool.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return e.Err.Error() }

func (e *DiskError) Unwrap() error { return e.Err }

// Hint returns what the user can do, as one line.
func (e *DiskError) Hint() string {
	switch {
	case errors.Is(e.Err, unix.EROFS):
		return "the disk is read-only, as one that fails becomes: restart the glasses; if it stays so, replace the card"
	case errors.Is(e.Err, unix.ENOSPC), errors.Is(e.Err, unix.EDQUOT):
		return "the disk is full: make room on it"
	case errors.Is(e.Err, unix.EACCES), errors.Is(e.Err, unix.EPERM):
		return "the spool's folder and all in it have to belong to who runs bril"
	}
	return "it is tried again; if it stays so, look at the folder and at the kernel's log"
}

// trouble makes an error of the disk one with a hint.
func trouble(err error) error {
	if err == nil || errors.As(err, new(*DiskError)) || errors.As(err, new(*FullError)) {
		return err
	}
	return &DiskError{err}
}
