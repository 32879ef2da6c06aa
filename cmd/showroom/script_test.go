package main

import (
	"io"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bril-edge/bril/cmd/internal/storytest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"showroom": main, "glasses": glassesMain})
}

// TestScript tells the stories of testdata/script.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               storytest.Setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                storytest.Commands(),
	})
}

// Every command and every flag has its story, and every command an example.
func TestStories(t *testing.T) {
	missing, err := storytest.Untold(newCommand(io.Discard, io.Discard, nil), "testdata/script", map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range missing {
		t.Errorf("no story of %s", what)
	}
}
