package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Asker asks a technician, a line for each question.
type Asker struct {
	In  io.Reader // read a byte at a time: what follows an answer is for whoever reads next
	Out io.Writer
}

// errNoAnswer is the end of what is read.
var errNoAnswer = errors.New("the answers ended before the questions did")

// maxAnswer bounds a line, in bytes.
const maxAnswer = 1 << 10

// Ask asks until check takes the answer. An empty one is what is proposed.
func (a *Asker) Ask(ctx context.Context, question, proposed string, check func(string) error) (string, error) {
	for {
		if _, err := fmt.Fprintf(a.Out, "%s [%s]: ", question, proposed); err != nil {
			return "", fmt.Errorf("ask: %w", err)
		}
		line, err := a.line(ctx)
		if err != nil {
			return "", err
		}
		answer := cmp.Or(line, proposed)
		if err = check(answer); err == nil {
			return answer, nil
		}
		fmt.Fprintf(a.Out, "  %v\n", err)
	}
}

// Yes asks for yes or no.
func (a *Asker) Yes(ctx context.Context, question string, proposed bool) (bool, error) {
	word := map[bool]string{true: "yes", false: "no"}
	answer, err := a.Ask(ctx, question, word[proposed], func(s string) error {
		if _, known := yesOrNo(s); !known {
			return fmt.Errorf("%q is neither yes nor no", s)
		}
		return nil
	})
	yes, _ := yesOrNo(answer)
	return yes, err
}

func yesOrNo(s string) (yes, known bool) {
	switch strings.ToLower(s) {
	case "y", "yes":
		return true, true
	case "n", "no":
		return false, true
	}
	return false, false
}

// line reads one. A read of a terminal cannot be cut short: where ctx ends first, it
// ends with the process.
func (a *Asker) line(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := readLine(a.In)
		read <- answer{line, err}
	}()
	select {
	case got := <-read:
		return got.line, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	for one := make([]byte, 1); b.Len() < maxAnswer; {
		n, err := r.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSpace(b.String()), nil
		case n == 1:
			b.WriteByte(one[0])
		case errors.Is(err, io.EOF):
			return "", errNoAnswer
		case err != nil:
			return "", fmt.Errorf("read the answer: %w", err)
		}
	}
	return "", errors.New("read the answer: it is too long")
}
