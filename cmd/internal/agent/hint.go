package agent

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }
