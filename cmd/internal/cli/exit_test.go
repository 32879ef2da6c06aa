package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/uplink/whip"
)

func TestExitCode(t *testing.T) {
	_, badKey := configs.Parse([]byte("camra: {}"), "bril.yaml")
	_, noConfig := configs.Load(t.TempDir() + "/missing")
	_, noToken := configs.ReadToken(t.TempDir() + "/missing")
	_, noDaemon := control.NewClient(t.TempDir() + "/missing").Status(t.Context())
	_, noAction := control.ParseAction("up")
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"nothing":               {nil, 0},
		"anything":              {errors.New("x"), 1},
		"a second daemon":       {control.ErrRunning, 1},
		"an endpoint's refusal": {&whip.Error{Err: whip.ErrUnauthorized}, 1},
		"a deadline":            {context.DeadlineExceeded, 1},
		"usage":                 {&UsageError{"bril", errors.New("x")}, 3},
		"an action":             {noAction, 3},
		"an unknown key":        {badKey, 4},
		"no configuration file": {noConfig, 4},
		"no token file":         {noToken, 4},
		"a format":              {camera.ErrUnsupportedFormat, 4},
		"a control's value":     {camera.ErrOutOfRange, 4},
		"a busy camera":         {camera.ErrBusy, 5},
		"no camera":             {&fs.PathError{Op: "open", Path: "/dev/video9", Err: fs.ErrNotExist}, 5},
		"not a camera":          {camera.ErrNotCamera, 5},
		"an unplugged camera":   {camera.ErrGone, 5},
		"no microphone":         {microphone.ErrNoMicrophone, 5},
		"a busy microphone":     {alsa.ErrBusy, 5},
		"no right":              {os.ErrPermission, 6},
		"no right to configure": {errors.Join(configs.ErrInvalid, os.ErrPermission), 6},
		"no daemon":             {noDaemon, 7},
		"the daemon's choice":   {&control.Problem{Message: "x", Code: 5}, 5},
		"an interruption":       {context.Canceled, 130},
		"a failure, then that":  {errors.Join(camera.ErrBusy, context.Canceled), 5},
	} {
		for _, err := range []error{tc.err, wrap(tc.err), WithHint(wrap(tc.err), "do this")} {
			if got := ExitCode(err); got != tc.want {
				t.Errorf("%s: %v ends with %d, want %d", name, err, got, tc.want)
			}
		}
	}
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("do this: %w", err)
}

func TestPrintError(t *testing.T) {
	_, badKeys := configs.Parse([]byte("camra: {}\nvideo: {gop: 1}"), "bril.yaml")
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("x"), "bril: x\n"},
		{"with a hint", wrap(WithHint(camera.ErrBusy, "close it")), "bril: do this: device in use\nhint: close it\n"},
		{"the outer hint wins", WithHint(WithHint(errors.New("x"), "inner"), "outer"), "bril: x\nhint: outer\n"},
		{"usage", &UsageError{"bril live", errors.New(`unknown flag: --x`)}, "bril: unknown flag: --x\nhint: bril live --help\n"},
		{"the endpoint's", wrap(&whip.Error{Op: "publish to", URL: "http://a", Hint: "set uplink.token_file", Err: whip.ErrUnauthorized}),
			"bril: do this: publish to http://a: not authorised\nhint: set uplink.token_file\n"},
		{"several problems", badKeys, "bril: bril.yaml:1: camra: unknown key (did you mean camera?)\n" +
			"bril: bril.yaml:2: video.gop: \"1\" is not a duration such as 500ms, 30s, 10m, 2h or 7d\nhint: bril config show --reference explains every key\n"},
		{"from the daemon", &control.Problem{Message: "x", Text: "y", Code: 5}, "bril: x\nhint: y\n"},
		{"a terminal's codes", errors.New("a\x1b[2Jb\u009bc"), "bril: a [2Jb c\n"},
	} {
		var stdout, stderr bytes.Buffer
		if err := PrintError(&stdout, &stderr, false, tc.err); err != nil {
			t.Fatal(err)
		}
		if stderr.String() != tc.want || stdout.Len() != 0 {
			t.Errorf("%s: got\n%s%s\nwant\n%s", tc.name, stdout.String(), stderr.String(), tc.want)
		}
	}
}

func TestPrintErrorAsJSON(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := PrintError(&stdout, &stderr, true, WithHint(camera.ErrBusy, "close it")); err != nil {
		t.Fatal(err)
	}
	want := `{"schema_version":1,"error":{"message":"device in use","hint":"close it","code":5}}` + "\n"
	if stdout.String() != want || stderr.Len() != 0 || !json.Valid(stdout.Bytes()) {
		t.Errorf("got %s%s, want %s", stdout.String(), stderr.String(), want)
	}
}

func TestExitCodesAreAllInTheHelp(t *testing.T) {
	for _, code := range []int{Done, Failed, Usage, Configuration, Device, Permission, NotRunning, Interrupted} {
		if !strings.Contains(ExitCodes, fmt.Sprintf("\n  %-5d", code)) {
			t.Errorf("%d is not in the help", code)
		}
	}
}

func TestWithHintOfNothing(t *testing.T) {
	if WithHint(nil, "x") != nil {
		t.Error("a hint made an error")
	}
}
