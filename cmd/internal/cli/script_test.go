package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bril-edge/bril/cmd/internal/cli"
	"github.com/bril-edge/bril/cmd/internal/storytest"
)

// patience is how long a test waits for anything.
const patience = storytest.Patience

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bril": bril, "keeper": keeperMain, "shop": shopMain, "caller": callerMain, "crasher": crasherMain,
		"guild": guildMain, "member": memberMain,
	})
}

func bril() {
	os.Exit(cli.Main(cli.App{
		Version: "1.2.3", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Args: os.Args[1:],
	}))
}

// TestScript tells the stories of testdata/script.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               storytest.Setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Cmds:                storytest.Commands(),
	})
}

// condition knows [camera] and [sound], that this machine may have one, or a sound
// output.
func condition(name string) (bool, error) {
	nodes, ok := map[string]string{"camera": "/dev/video*", "sound": "/dev/snd/pcmC*p"}[name]
	if !ok {
		return false, errors.New("unknown condition " + name)
	}
	list, err := filepath.Glob(nodes)
	return len(list) > 0, err
}
