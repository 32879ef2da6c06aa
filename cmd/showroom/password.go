package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// maxPasswordFile bounds what is read by mistake, in bytes.
const maxPasswordFile = 4 << 10

func passwordFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "password-file", "", "the password is its first line; - is standard input (default: it is asked for)")
}

// newHash returns the hash of a new password.
func newHash(c *cobra.Command, file string) (string, error) {
	password, err := newPassword(c, file)
	if err != nil {
		return "", err
	}
	hash, err := staff.Hash(password, staff.Params{})
	if err != nil {
		return "", usageError{err}
	}
	return hash, nil
}

func newPassword(c *cobra.Command, file string) (string, error) {
	switch file {
	case "":
		return askTwice(c)
	case "-":
		return firstLine(c.InOrStdin())
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer f.Close()
	return firstLine(f)
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPasswordFile)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askTwice wants a terminal, on which nothing is shown.
func askTwice(c *cobra.Command) (string, error) {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", usageError{errors.New("there is no terminal to ask for the password on: give --password-file FILE, or - for standard input")}
	}
	var answers [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(c.ErrOrStderr(), prompt)
		answer, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		answers[i] = string(answer)
	}
	if answers[0] != answers[1] {
		return "", usageError{errors.New("the two passwords are not the same")}
	}
	return answers[0], nil
}
