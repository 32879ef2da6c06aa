// Package control carries commands and status between the command line and the
// daemon: JSON over HTTP over a unix socket. It decides nothing; what a command
// does is the daemon's business, and who may send one is the socket's mode.
//
//	GET  /v1/status                        one Status
//	GET  /v1/status/stream?interval=1s     one Status a line, until the client goes
//	POST /v1/live {"action":"on"}          {"state":"connecting"}
//	POST /v1/call {"action":"accept"}      {"state":"accepted"}
//	POST /v1/photo {"show":false}          one Photo, once it is safe
//	POST /v1/clip {"action":"start"}       one Clip, once its folder is safe, or after stop all of it
//	GET  /v1/spool                         one Spool
//	POST /v1/spool {"action":"retry","id":""}  the Spool after it
//	POST /v1/talkback {"muted":true}       the Talkback after it
//	GET  /v1/enrol                         one Enrolment
//	POST /v1/enrol {"server":"…","token":"…"}  the Enrolment after it
//	DELETE /v1/enrol                       the Enrolment after it
//	POST /v1/doctor {"only":[],"no_input":true}  one DoctorLine a line, the last one with the report
//	POST /v1/provision {"action":"start"}  one Provisioning a line, until the mode has ended
//	GET  /v1/fleet                         one FleetView
//	GET  /metrics                          what Prometheus reads
//	GET  /v1/log?lines=100                 one Log: the last lines
//
// Every other answer is a Problem.
package control

import (
	"cmp"
	"time"
)

// SchemaVersion counts the incompatible changes of Status.
const SchemaVersion = 1

// Status is what the daemon says of itself. Counters run since its start.
type Status struct {
	SchemaVersion int    `json:"schema_version"` // set by the server
	Version       string `json:"version"`        // of the daemon
	State         string `json:"state"`          // off, ready, connecting, live, paused, stopping or fault

	Camera     string `json:"camera"`     // what runs, such as /dev/video0 1280x720@30 YUYV; "" when nothing
	Microphone string `json:"microphone"` // likewise
	Encoder    string `json:"encoder"`    // likewise

	Light   Light    `json:"light"`             // the capture light
	Buttons []Button `json:"buttons"`           // of the board
	Device  *Device  `json:"device,omitempty"`  // only where the board is enrolled
	Battery *Battery `json:"battery,omitempty"` // only where the board has one
	Thermal *Thermal `json:"thermal,omitempty"` // only where the board tells

	Call *Call `json:"call,omitempty"` // only where the endpoint has any

	Uplink    Uplink  `json:"uplink"`
	Video     Video   `json:"video"`
	LatencyMS Latency `json:"latency_ms"`

	Recording Recording   `json:"recording"`
	Spool     SpoolStatus `json:"spool"`
	Upload    Upload      `json:"upload"`

	Talkback *Talkback `json:"talkback,omitempty"` // only where it is enabled

	Fleet *FleetStatus `json:"fleet,omitempty"` // only where the enrolment has a fleet

	Update *Update `json:"update,omitempty"` // only where the package's timer has looked

	RSSBytes      int64   `json:"rss_bytes"`
	UptimeSeconds float64 `json:"uptime_s"`
	Goroutines    int     `json:"goroutines"`

	LiveSince time.Time `json:"live_since,omitzero"` // only while live or paused
	Viewers   *int      `json:"viewers,omitempty"`   // only where the endpoint tells

	Errors   []Fault  `json:"errors"`   // what does not work now
	Warnings []string `json:"warnings"` // what works but deserves a look
}

// Busy says what the daemon is at that its end would cut off, such as live or in a
// call; "" for nothing.
func (s Status) Busy() string {
	switch {
	case s.State != "ready" && s.State != "off":
		return cmp.Or(s.State, "in a state that is not known")
	case s.Call != nil && s.Call.State != "idle":
		return "in a call"
	case s.Recording.Clip != "":
		return "making a clip"
	}
	return ""
}

// Light is the capture light, which is on while a camera or microphone runs. It
// blinks only while it is off.
type Light struct {
	Line  string `json:"line"`  // what feeds it; "" where the board has none
	State string `json:"state"` // on, off, none or failed
	Note  string `json:"note,omitempty"`
}

// Button is a button of the board.
type Button struct {
	Name    string `json:"name"`
	Line    string `json:"line"`  // or key
	State   string `json:"state"` // working, stuck or fault
	Message string `json:"message,omitempty"`
}

// Battery is what the board runs on.
type Battery struct {
	Percent  *int   `json:"percent,omitempty"` // nil when it does not tell
	Charging bool   `json:"charging"`          // it is fed: it fills, or is full
	State    string `json:"state"`             // fine, low, very-low or nearly-empty
}

// Thermal is how hot the board is where it is hottest.
type Thermal struct {
	Celsius float64 `json:"celsius"`
	Zone    string  `json:"zone"`  // the kernel's word for where that is
	State   string  `json:"state"` // normal, warm, hot or very-hot
}

// Uplink is the connection to the cloud. State is that of the connection; NACK
// and PLI count what the cloud asked for.
type Uplink struct {
	State     string  `json:"state"`
	URL       string  `json:"url"`
	RTTMS     float64 `json:"rtt_ms"`
	TargetBPS int64   `json:"target_bps"` // what the encoder is asked for, in bits a second
	SentBPS   int64   `json:"sent_bps"`   // what left in the last second, all of it
	NACK      uint64  `json:"nack"`       // packets asked for again
	PLI       uint64  `json:"pli"`        // key frames asked for
}

// Video counts frames.
type Video struct {
	Captured  uint64            `json:"captured"`
	Encoded   uint64            `json:"encoded"`
	Sent      uint64            `json:"sent"`
	Missed    uint64            `json:"missed"`  // frames that the camera itself did not take
	Dropped   map[string]uint64 `json:"dropped"` // by stage
	KeyFrames uint64            `json:"key_frames"`
	Copies    uint64            `json:"copies"` // frames copied or converted between camera and encoder
	FPS       float64           `json:"fps"`    // what was sent of the last two seconds, in frames a second
}

// Latency is how long a frame takes in each stage, and a photo in each of its own.
type Latency struct {
	Queue         Percentiles `json:"queue"`          // from the camera to the encoder's start
	Encode        Percentiles `json:"encode"`         // in the encoder
	PacketiseSend Percentiles `json:"packetise_send"` // from the access unit to its last packet sent
	Total         Percentiles `json:"total"`          // from the camera to the last packet sent

	Photo PhotoLatency `json:"photo"`
}

// Percentiles are in milliseconds, over the last few seconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// Fault is one component that does not work, and is being retried.
type Fault struct {
	Component string    `json:"component"` // camera, microphone, encoder, uplink, calls, enrolment, light, spool, upload or a button's name
	Message   string    `json:"message"`
	Hint      string    `json:"hint,omitempty"`
	Since     time.Time `json:"since"`
	Count     int       `json:"count"` // how often in a row
}

// complete returns s as it is sent: with its version, and with no null where
// scripts expect a list or an object.
func (s Status) complete() Status {
	s.SchemaVersion = SchemaVersion
	if s.Video.Dropped == nil {
		s.Video.Dropped = map[string]uint64{}
	}
	if s.Buttons == nil {
		s.Buttons = []Button{}
	}
	if s.Errors == nil {
		s.Errors = []Fault{}
	}
	if s.Warnings == nil {
		s.Warnings = []string{}
	}
	return s
}

// Action is what `bril live` asks for.
type Action string

// The actions.
const (
	On    Action = "on"
	Off   Action = "off"
	Pause Action = "pause"
)

// ParseAction reads an action as it is typed.
func ParseAction(s string) (Action, error) {
	switch a := Action(s); a {
	case On, Off, Pause:
		return a, nil
	}
	return "", &Problem{Message: "live takes on, off or pause, not " + quote(s), Code: codeUsage}
}

// liveRequest and liveResponse are the bodies of POST /v1/live.
type liveRequest struct {
	Action string `json:"action"`
}

type liveResponse struct {
	State string `json:"state"`
}
