package configs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write bril.schema.json anew")

// node is a JSON Schema, in the order in which it is written.
type node map[string]any

// words are the keys that take one of a few words.
func words() map[string][]string {
	actions := []string{ActionLive, ActionPause, ActionPhoto, ActionPhotoShow, ActionClip, ActionMute, ActionNone}
	w := map[string][]string{
		"camera.format": {"auto", "YUYV", "NV12", "YU12", "MJPEG", "H264"}, "camera.power_line": {"50hz", "60hz", "auto", "off"},
		"video.encoder": {EncoderAuto, EncoderHardware, EncoderSoftware}, "cues.language": {"none", "nl", "de", "en"},
		"talkback.output": {OutputInEar, OutputOpen}, "log.level": {"debug", "info", "warn", "error"}, "log.format": {"text", "json"},
		"board.profile": profileNames(),
	}
	for _, button := range []string{"button1", "button2"} {
		for _, gesture := range []string{"short", "double", "long"} {
			w["board.buttons."+button+"."+gesture] = actions
		}
	}
	return w
}

// ranges are the keys whose numbers have bounds.
func ranges() map[string][2]float64 {
	return map[string][2]float64{
		"camera.fps": {1, maxFPS}, "microphone.gain_db": {-30, 30}, "cues.volume_db": {-40, 6}, "talkback.volume_db": {-40, 6},
		"photo.quality": {50, 100}, "upload.live_share": {0, 100},
		"power.battery_low": {3, 90}, "power.battery_very_low": {2, 89}, "power.battery_empty": {1, 50},
		"power.warm": {30, 110}, "power.hot": {30, 110}, "power.very_hot": {30, 110},
	}
}

// forms are the texts of types, as regular expressions of ECMA-262.
func forms() map[reflect.Type]node {
	text := func(pattern string, types ...string) node {
		all := append([]string{"string"}, types...)
		return node{"type": append(all, "null"), "pattern": pattern}
	}
	return map[reflect.Type]node{
		reflect.TypeFor[Duration]():     text(`^(0|[0-9]+d([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))*|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`, "integer"),
		reflect.TypeFor[BitRate]():      text(`^[0-9]+(\.[0-9]+)?[kM]?$`, "number"),
		reflect.TypeFor[ByteSize]():     text(`^[0-9]+(\.[0-9]+)?[kMG]?$`, "number"),
		reflect.TypeFor[Size]():         text(`^[0-9]{2,4}x[0-9]{2,4}$`),
		reflect.TypeFor[Exposure]():     text(`^(auto|[0-9]+(\.[0-9]+)?(us|µs|ms|s))$`),
		reflect.TypeFor[Focus]():        text(`^(auto|-?[0-9]+)$`, "integer"),
		reflect.TypeFor[WhiteBalance](): text(`^(auto|[0-9]+)$`, "integer"),
		reflect.TypeFor[VideoSource]():  text(`^(auto|none|/dev/.+|pattern(:[0-9]+x[0-9]+(@[0-9]+)?)?|y4m:.+|h264:.+|mp4:.+)$`),
		reflect.TypeFor[AudioSource]():  text(`^(auto|none|tone|(plug)?hw:.+|wav:.+|opus:.+)$`),
	}
}

// generated is the schema of the types, with what the reference says of each key.
func generated(t *testing.T) []byte {
	t.Helper()
	said := comments(Reference())
	root := object(reflect.TypeFor[Config](), "", said)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "The configuration of the Bril agent"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func object(of reflect.Type, key string, said map[string]string) node {
	properties := node{}
	for i := range of.NumField() {
		f := of.Field(i)
		name := f.Tag.Get("json")
		properties[name] = property(f.Type, join(key, name), said)
	}
	n := node{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if of == reflect.TypeFor[Session]() { // session: NAME is short for its name
		n["type"] = []string{"object", "string", "null"}
	}
	return n
}

func property(of reflect.Type, key string, said map[string]string) (n node) {
	defer func() {
		if text := said[key]; text != "" {
			n["description"] = text
		}
	}()
	if form, ok := forms()[of]; ok {
		return form
	}
	if reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		panic("configs: no form of " + of.String())
	}
	if list, ok := words()[key]; ok {
		all := []any{nil}
		for _, w := range list {
			all = append(all, w)
		}
		return node{"enum": all}
	}
	switch of.Kind() {
	case reflect.Struct:
		return object(of, key, said)
	case reflect.Slice:
		return node{"type": []string{"array", "null"}, "items": property(of.Elem(), key+"[]", said)}
	case reflect.Bool:
		return node{"type": []string{"boolean", "null"}}
	case reflect.Int, reflect.Float64:
		n = node{"type": []string{map[bool]string{true: "integer", false: "number"}[of.Kind() == reflect.Int], "null"}}
		if key == "camera.rotation" {
			return node{"enum": []any{nil, 0, 90, 180, 270}}
		}
		bounds, ok := ranges()[key]
		if !ok {
			panic("configs: no range of " + key)
		}
		n["minimum"], n["maximum"] = bounds[0], bounds[1]
		return n
	}
	return node{"type": []string{"string", "number", "boolean", "null"}} // what looks like a number is a text as well
}

// comments returns what the reference says above each key.
func comments(reference string) map[string]string {
	said := map[string]string{}
	var path []string
	var block []string
	for line := range strings.Lines(reference) {
		text := strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(text, "#"); ok {
			block = append(block, strings.TrimSpace(comment))
			continue
		}
		name, _, ok := strings.Cut(text, ":")
		if text == "" || !ok {
			block = nil
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		path = append(path[:min(depth, len(path))], name)
		said[strings.Join(path, ".")] = strings.Join(block, " ")
		block = nil
	}
	return said
}

// TestSchema: what is published is what the types and the reference say now.
func TestSchema(t *testing.T) {
	want := generated(t)
	if *update {
		if err := os.WriteFile("bril.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if JSONSchema() != string(want) {
		t.Error("bril.schema.json is not what the types say: go test ./configs -run TestSchema -update")
	}
}

// compiled is the schema as another program reads it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bril.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("bril.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// by says what another program makes of a file by the schema.
func by(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return s.Validate(doc)
}

// What is valid for one is valid for the other, and what one refuses of a single key,
// the other refuses too.
func TestSchemaAgrees(t *testing.T) {
	s := compiled(t)
	for _, text := range []string{
		Reference(), "{}", "camera: {fps: 60, size: 640x480, source: 'pattern:640x360@30', exposure: 10ms, focus: 3, white_balance: 4000}",
		"session: anna", "camera:\nvideo: {max_bitrate: 2500000}", "spool: {retention: 7d, quota: 500M}", "microphone: {source: 'hw:1,0', gain_db: -3.5}",
		"uplink: {ice_servers: [{urls: ['turn:turn.example'], username: x, credential_file: /etc/bril/x}]}", "board: {buttons: {button1: {long: clip}}}",
		"fleet: {enabled: false, max_bitrate: 1.5M, max_retention: 30d}",
	} {
		if _, err := Parse([]byte(text), "x"); err != nil {
			t.Errorf("Parse: %v", err)
		}
		if err := by(t, s, text); err != nil {
			t.Errorf("the schema: %v\n%.200s", err, text)
		}
	}
	for _, text := range []string{
		"light: off", "camera: {fsp: 3}", "camera: {fps: 0}", "camera: {fps: 61}", "camera: {fps: fast}", "camera: {rotation: 45}", "camera: {size: big}",
		"camera: {source: 'http://x'}", "camera: [1]", "video: {encoder: gpu}", "video: {max_bitrate: fast}", "log: {level: loud}", "microphone: {gain_db: 31}",
		"board: {profile: toaster}", "board: {buttons: {button1: {short: explode}}}", "power: {warm: 200}", "loopback: true", "fleet: {max_retention: long}",
		"uplink: {ice_servers: [{url: x}]}", "uplink: {loopback: 3}", "spool: {retention: forever}", "talkback: {record: true}",
	} {
		if _, err := Parse([]byte(text), "x"); err == nil {
			t.Errorf("Parse takes %s", text)
		}
		if err := by(t, s, text); err == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
}

// The bounds and words of the schema are those of Parse: each is taken, and what is
// just outside is not.
func TestSchemaLimits(t *testing.T) {
	set := func(key string, value any) error {
		root := yaml.MapSlice{}
		parts := strings.Split(key, ".")
		var nested any = value
		for i := len(parts) - 1; i > 0; i-- {
			nested = yaml.MapSlice{{Key: parts[i], Value: nested}}
		}
		root = append(root, yaml.MapItem{Key: parts[0], Value: nested})
		text, err := yaml.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(text, "x")
		return err
	}
	about := func(err error, key string) bool { return err != nil && strings.Contains(err.Error(), key) }
	for key, bounds := range ranges() {
		for _, good := range bounds {
			if err := set(key, good); about(err, key+": ") && strings.Contains(err.Error(), "outside") {
				t.Errorf("%s: %g is refused: %v", key, good, err)
			}
		}
		for _, bad := range []float64{bounds[0] - 1, bounds[1] + 1} {
			if err := set(key, bad); !about(err, key) {
				t.Errorf("%s: %g is taken: %v", key, bad, err)
			}
		}
	}
	for key, list := range words() {
		for _, word := range list {
			if err := set(key, word); about(err, key+": ") {
				t.Errorf("%s: %v", key, err)
			}
		}
		if err := set(key, "toaster"); !about(err, key) {
			t.Errorf("%s takes any word", key)
		}
	}
}
