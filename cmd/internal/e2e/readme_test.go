package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// token makes one, as each is good for one board.
const token = "showroom token new --name anna --data closed-data >token 2>/dev/null; "

// rules are those of all documents and examples. What is not named here is run as it
// stands, and has to end with 0.
func rules(t *testing.T) []rule {
	elsewhere := "this world's has the port, the socket and the data"
	list := []rule{
		{command: of(`make (.*)`), as: "make -n -C " + absolute(t, root) + " $1 >/dev/null", why: "it is what builds and runs this; the target is looked for"},
		{command: of(`((?:bin/)?showroom (?:.* )?--listen )\S+(.*?)--data \S+(.*)`), as: "${1}127.0.0.1:0${2}--data other-data$3", lasts: "listening on ", why: elsewhere},
		{command: of(`((?:bin/)?showroom )--data \S+(.*)`), as: "${1}--listen 127.0.0.1:0 --data enrolling-data$2", lasts: "listening on ", why: elsewhere},
		{command: of(`((?:bin/)?bril run.*)`), as: "$1 --control other.sock --state other-state", lasts: "endpoint=", why: elsewhere},
		{command: of(`((?:bin/)?bril demo.*)`), as: "$1 --listen 127.0.0.1:0", lasts: "Open http", why: elsewhere},
		{command: of(`(?:bin/)?bril (?:status|spool list) --watch.*`), lasts: "s", why: "it goes on until it is ended"},

		{command: of(`(?:sudo )?((?:bin/)?bril setup --print)`), as: "$1 --config etc/bril.yaml", why: "the file of this machine is not touched"},
		{command: of(`(?:sudo )?((?:bin/)?bril setup)(.*) --camera auto(.*)`), as: "$1 --yes$2 --camera pattern$3 --config etc/bril.yaml --control none.sock --no-service --no-input --no-doctor", why: "a machine may have no camera, and its file is not touched"},
		{command: of(`(?:sudo )?((?:bin/)?bril setup)(.*--server.*)`), as: token + "$1 --yes$2 --config etc/bril.yaml --control none.sock --no-service --no-input --no-doctor", why: "the file of this machine is not touched, and its service"},
		{command: of(`(?:sudo )?((?:bin/)?bril setup)((?: .*)?)`), as: "$1 --yes$2 --config etc/bril.yaml --control none.sock --no-service --no-input --no-doctor", why: "questions need a terminal, and the service systemd; the daemon of this world is live, and the file of this machine is not touched"},
		{command: of(`(?:sudo )?(?:bin/)?bril update.*`), code: 1, says: "not installed as a package", why: "apt and dpkg are stand-ins here, which know no package"},
		{command: of(`(?:bin/)?bril provision`), code: 1, says: "QR codes are off", why: "this machine has no brand's key"},
		{command: of(`((?:bin/)?bril support)`), as: "$1 --yes", why: "it asks before it writes, on a terminal"},
		{command: of(`(showroom qr keygen --out )(.*)`), as: "${1}another-$2", why: "a key is never replaced, and other commands use that of this world"},
		{command: of(`(?:sudo )?((?:bin/)?bril update.*)`), as: "$1", code: 1, says: "not installed as a package", why: "it is not, here"},
		{command: of(`(bril completion zsh) > .*`), as: "$1 > _bril", why: "fpath is a variable of zsh"},
		{command: of(`((?:bin/)?bril enrol --reset.*|(?:.*[|] )?(?:bin/)?bril enrol --server.*)`), as: token + "$1 --control none.sock --state bare-state", why: "the daemon of this world is live"},
		{command: of(`(?:bin/)?bril (?:photo|clip start|live pause|mute).*`), live: true, why: "another example ends live"},
		{command: of(`(?:bin/)?bril call accept`), code: 1, says: "no call rings", why: "nobody calls"},
		{command: of(`(?:bin/)?bril call end`), code: 1, says: "there is no conversation with a customer to end", why: "nobody calls"},
		{command: of(`((?:bin/)?bril spool (?:retry|drop) \S+)`), as: "$1$(case '$1' in *drop*) echo ' --yes';; esac)", code: 1, says: "no such item", why: "the item is an example"},

		{command: of(`(showroom fleet keygen --out )(.*)`), as: "${1}another-$2-$(date +%N)", why: "a key is never replaced, and other commands use that of this world"},
		{command: of(`(showroom fleet sign .*)`), as: "rm -f fleet.key fleet.key.pub; showroom fleet keygen --out fleet.key >made; echo 'video: {max_bitrate: 1M}' > fleet.yaml; $1", why: "the key and the configuration are examples"},
		{command: of(`(showroom fleet manager add (\S+) (--data \S+).*)`), as: "showroom fleet manager revoke $2 $3 >gone 2>&1; $1", why: "a manager has one token, and another example has made it"},
		{command: of(`(showroom fleet manager revoke (\S+) (--data \S+))`), as: "showroom fleet manager add $2 $3 >made 2>&1; $1", why: "another example may have revoked it"},
		{command: of(`(showroom fleet manager list .*)`), as: "$1", why: "it is on the server's machine"},
		{command: of(`(showroom fleet .*)`), as: "$1 --server ''", code: 3, says: "which server", why: "no server of this world has a fleet: the story of showroom fleet runs all of these"},

		{command: of(`((?:bin/)?showroom staff (?:add|passwd) .*)`), as: "$1$(case '$1' in *--password-file*) ;; *) echo ' --password-file password';; esac)", why: "a password is asked for on a terminal only"},
		{command: of(`(showroom staff (?:revoke|remove|sessions) .*anna .*)`), as: "showroom staff add anna --role advisor --password-file password --data closed-data >added 2>&1; $1", why: "another example removes the account"},
		{command: of(`(?:bin/)?showroom privacy (?:export|erase) .*`), code: 1, says: "nothing is stored of a customer", why: "there was no customer"},
		{command: of(`showroom token revoke \S+ (.*)`), as: `showroom token revoke "$(showroom token list --json $1 | jq -r '.tokens[0].id')" $1`, why: "the token is an example"},
		{command: of(`(?:bin/)?showroom devices revoke .*`), as: "$0 2>&1 | grep anna", why: "only some documents enrol a board of this name"},
	}
	if found, _ := filepath.Glob("/dev/snd/pcmC*p"); len(found) == 0 {
		list = append(list, rule{command: of(`(?:bin/)?bril cue (?:live|all).*`), code: 5, says: "no sound output", why: "this machine has no sound output"})
	}
	return list
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// equip gives the world what documents take for granted.
func (w *world) equip() {
	w.file("token", "secret\n")
	w.file("tokens", "secret\n")
	w.file("password", "correct horse battery staple\n")
	w.file("smtp.password", "secret\n")
	w.file("etc/bril.yaml", "camera: {source: \"pattern:320x180@15\"}\nmicrophone: {source: tone}\n")
	w.file("hours.yaml", "showrooms:\n  - {id: antwerp, title: Antwerpen, time_zone: Europe/Brussels, slot: 30m, hours: {monday: 09:00-12:30}}\n")
	film, err := os.ReadFile(filepath.Join(root, "capture/file/testdata/progressive.mp4"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.file("car.mp4", string(film))
	if out, code := w.shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem -out fullchain.pem -days 2 -subj /CN=showroom -addext subjectAltName=IP:127.0.0.1"); code != 0 {
		w.t.Fatalf("make a certificate: %s", out)
	}
	w.file("wifi.password", "correct horse\n")
	if out, code := w.shell("showroom qr keygen --out provision.key"); code != 0 {
		w.t.Fatalf("make a provisioning key: %s", out)
	}
	w.standIn("ssh", `shift; case $* in *"bril setup"*) exec sh -c "$* --camera pattern --config etc/bril.yaml --control none.sock --no-service --no-input --no-doctor" ;; esac; exec sh -c "$*"`)
	for _, name := range []string{"dpkg-query", "apt-get", "dpkg-deb"} {
		w.standIn(name, "exit 1") // no update of this machine
	}
	w.standIn("apt-cache", "exit 0")
	w.standIn("pass", "echo correct horse battery staple")
	w.standIn("sudo", `exec "$@"`)
	for _, name := range []string{"systemctl", "journalctl", "timedatectl", "apt", "dpkg", "usermod"} {
		w.standIn(name, `echo "stand-in for `+name+`: $*"`)
		w.t.Logf("stand-in: a program of the name %s that only says how it was called", name)
	}
	if _, err := exec.LookPath("jq"); err != nil {
		w.t.Skip("jq is missing, which examples use: apt install jq")
	}
}

// TestREADME runs every command of the README's shell blocks, in their order, in an
// empty directory with the programs in bin.
func TestREADME(t *testing.T) { documented(t, filepath.Join(root, "README.md"), 6) }

// TestPages does so for the pages beside the program, but for that of managers, which
// has a fleet (TestFleetGuide).
func TestPages(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "cmd/bril/doc/*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		if filepath.Base(page) == filepath.Base(fleetGuide) {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) { documented(t, page, 1) })
	}
}

func documented(t *testing.T, path string, least int) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	commands := shellCommands(string(data))
	if len(commands) < least {
		t.Fatalf("only %d commands found: %q", len(commands), commands)
	}
	runAll(t, commands)
}

func runAll(t *testing.T, commands []string) {
	w := newWorld(t)
	w.equip()
	w.populate()
	for _, command := range commands {
		w.run(command, rules(t))
	}
}

// TestExamples runs every example of the programs' help, which is what man pages have
// too.
func TestExamples(t *testing.T) {
	for _, binary := range []string{binaries.bril, binaries.showroom} {
		t.Run(filepath.Base(binary), func(t *testing.T) {
			examples := examplesOf(t, binary)
			if len(examples) < 20 {
				t.Fatalf("only %d examples found: %q", len(examples), examples)
			}
			runAll(t, examples)
		})
	}
}

// sections are of the help of both programs.
var sections = regexp.MustCompile(`(?m)^(Examples|Commands|Available Commands):\n((?:[ \t].*\n|\n)*)`)

// examplesOf asks a program, and each of its commands, for help.
func examplesOf(t *testing.T, binary string, command ...string) (examples []string) {
	t.Helper()
	out, err := exec.Command(binary, append(slices.Clone(command), "--help")...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", binary, command, err)
	}
	var below []string
	for _, section := range sections.FindAllStringSubmatch(string(out)+"\n", -1) {
		for line := range strings.Lines(strings.ReplaceAll(section[2], "\\\n", "")) {
			words := strings.Fields(line)
			switch {
			case len(words) == 0:
			case section[1] == "Examples":
				examples = append(examples, strings.TrimSpace(line))
			case words[0] != "help":
				below = append(below, words[0])
			}
		}
	}
	for _, name := range below {
		examples = append(examples, examplesOf(t, binary, append(slices.Clone(command), name)...)...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(examples, func(line string) bool {
		again := seen[line]
		seen[line] = true
		return again
	})
}

// shellCommands returns the commands of a Markdown file's ```sh blocks, a line each. A
// line that ends with a backslash goes on, and one that is indented, or ends a loop,
// belongs to the one before.
func shellCommands(text string) (commands []string) {
	inside, indent := false, ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		line = strings.TrimRight(strings.TrimPrefix(line, indent), " \n")
		words := strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(words, "```"):
			inside, indent = words == "```sh", strings.TrimSuffix(line, words)
			if !inside {
				indent = ""
			}
		case !inside || words == "" || strings.HasPrefix(words, "#"):
		case len(commands) > 0 && (words != line || strings.HasPrefix(line, "done")):
			commands[len(commands)-1] += "\n" + line
		default:
			commands = append(commands, line)
		}
	}
	return commands
}
