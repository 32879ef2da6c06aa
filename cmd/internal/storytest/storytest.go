// Package storytest has what stories of the programs are told with, beside the
// commands of testscript: programs that run while the story goes on, and the waiting
// for what they say. It is for tests only.
package storytest

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bril-edge/bril/cmd/internal/porttest"
)

// Patience is how long a story waits for anything.
const Patience = 20 * time.Second

// Commands are
//
//	exits CODE program args...    run it; stdout and stderr are for what follows
//	begin NAME program args...    run it beside the story, into NAME.out and NAME.err
//	end NAME SIGNAL CODE          end it by TERM, INT, HUP or KILL, or - when it ends by
//	                              itself, and expect the code
//	until REGEX program args...   run it again and again until its stdout matches
//	untilfile REGEX FILE          wait until a file matches
//	[!] get REGEX FILE            fetch the address that the expression's group finds
//	                              in the file, which must answer 200 [or anything else]
//	setenv NAME REGEX FILE        set a variable to what the expression's group finds
//	narrow FILE...                no line is wider than a terminal of 80 columns
func Commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "begin": begin, "end": end, "until": until,
		"untilfile": untilFile, "get": get, "setenv": setenv, "narrow": narrow,
	}
}

// Setup gives each story a home of its own, and a control socket whose path is
// short enough for one.
func Setup(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "bril")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(dir) })
	dead, err := porttest.Find()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": env.WorkDir, "XDG_RUNTIME_DIR": dir, "SOCK": filepath.Join(dir, "control.sock"), "DEAD": dead,
		// A program with the race detector waits for a second at its end otherwise.
		"GORACE": "atexit_sleep_ms=0",
	} {
		env.Setenv(name, value)
	}
	env.Values[running{}] = map[string]*background{}
	return nil
}

func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "exits CODE program args...")
	err := ts.Exec(args[1], args[2:]...)
	if code := codeOf(ts, err); strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s ended with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

func codeOf(ts *testscript.TestScript, err error) int {
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	return exit.ExitCode() // -1 after a signal
}

// running is the key of what `begin` has started, by name.
type running struct{}

type background struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, once done
}

func (b *background) end(s os.Signal) error {
	if s != nil {
		_ = b.cmd.Process.Signal(s) // it may have ended
	}
	select {
	case <-b.done:
		return nil
	case <-time.After(Patience):
		_ = b.cmd.Process.Kill()
		<-b.done
		return errors.New("it does not end")
	}
}

func begin(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "begin NAME program args...")
	b := &background{cmd: command(ts, args[1:]), done: make(chan struct{})}
	out := create(ts, args[0]+".out")
	defer out.Close()
	errors := create(ts, args[0]+".err")
	defer errors.Close()
	b.cmd.Stdout, b.cmd.Stderr = out, errors
	ts.Check(b.cmd.Start())
	go func() { // ends with the process, which the story's end ends
		b.err = b.cmd.Wait()
		close(b.done)
	}()
	ts.Value(running{}).(map[string]*background)[args[0]] = b
	ts.Defer(func() { _ = b.end(os.Kill) })
}

func create(ts *testscript.TestScript, name string) *os.File {
	f, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	return f
}

func end(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "end NAME SIGNAL CODE")
	b := ts.Value(running{}).(map[string]*background)[args[0]]
	signal, known := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP, "KILL": os.Kill, "-": nil}[args[1]]
	if b == nil || !known {
		ts.Fatalf("there is no %s, or no signal %s", args[0], args[1])
	}
	ts.Check(b.end(signal))
	if code := codeOf(ts, b.err); strconv.Itoa(code) != args[2] {
		ts.Fatalf("%s ended with %d, want %s:\n%s", args[0], code, args[2], ts.ReadFile(args[0]+".err"))
	}
}

// eventually looks every now and then: the stories are about other processes,
// which tell of nothing by themselves.
func eventually(ts *testscript.TestScript, is func() bool, what func() string) {
	for deadline := time.Now().Add(Patience); !is(); {
		if time.Now().After(deadline) {
			ts.Fatalf("not within %v: %s", Patience, what())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// until looks quietly and runs the program once more for the story, which then
// sees what stays true.
func until(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "until REGEX program args...")
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var out []byte
	eventually(ts, func() bool {
		out, err = command(ts, args[1:]).CombinedOutput()
		return err == nil && re.Match(out)
	}, func() string { return strings.Join(args, " ") + ":\n" + string(out) })
	ts.Check(ts.Exec(args[1], args[2:]...))
}

// command is a program as the story would run it.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "PATH", "TMPDIR", "GORACE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

func untilFile(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "untilfile REGEX FILE")
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	eventually(ts, func() bool { return re.MatchString(ts.ReadFile(args[1])) },
		func() string { return args[1] + " matches " + args[0] + ":\n" + ts.ReadFile(args[1]) })
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, false, args, 2, "get REGEX FILE")
	url := only(ts, args[0], args[1])
	client := http.Client{Timeout: Patience}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	ts.Check(err)
	defer response.Body.Close()
	if (response.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("%s answers %s", url, response.Status)
	}
}

func setenv(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "setenv NAME REGEX FILE")
	ts.Setenv(args[0], only(ts, args[1], args[2]))
}

// only is what the one group of an expression finds in a file.
func only(ts *testscript.TestScript, expression, file string) string {
	re, err := regexp.Compile("(?m)" + expression)
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile(file))
	if len(found) != 2 {
		ts.Fatalf("no %s in %s", expression, file)
	}
	return found[1]
}

func narrow(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "narrow FILE...")
	for _, name := range args {
		for line := range bytes.Lines([]byte(ts.ReadFile(name))) {
			if n := len([]rune(strings.TrimRight(string(line), "\n"))); n > 80 {
				ts.Fatalf("%s has a line of %d columns: %s", name, n, line)
			}
		}
	}
}
