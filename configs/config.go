// Package configs holds the agent's configuration: its keys, their defaults,
// their limits, and the reading and printing of them. It opens no device and
// no connection, and holds no secret: the configuration names the files that do.
package configs

import "time"

// Config is the whole configuration. Every key has a default, so that an empty
// file is a complete configuration; see bril.yaml for what each key means.
type Config struct {
	Uplink       Uplink       `json:"uplink"`
	Camera       Camera       `json:"camera"`
	Microphone   Microphone   `json:"microphone"`
	Video        Video        `json:"video"`
	Audio        Audio        `json:"audio"`
	Session      Session      `json:"session"`
	Media        Media        `json:"media"`
	Photo        Photo        `json:"photo"`
	Clip         Clip         `json:"clip"`
	Spool        Spool        `json:"spool"`
	Upload       Upload       `json:"upload"`
	Board        Board        `json:"board"`
	Power        Power        `json:"power"`
	Cues         Cues         `json:"cues"`
	Talkback     Talkback     `json:"talkback"`
	Calls        Calls        `json:"calls"`
	Provisioning Provisioning `json:"provisioning"`
	Fleet        Fleet        `json:"fleet"`
	Telemetry    Telemetry    `json:"telemetry"`
	Control      Control      `json:"control"`
	Log          Log          `json:"log"`
}

// Uplink says where the stream goes and over which way.
type Uplink struct {
	WHIPURL        string      `json:"whip_url"`
	TokenFile      string      `json:"token_file"`      // "" is no token
	TrustedOrigins []string    `json:"trusted_origins"` // scheme://host[:port]
	Interface      string      `json:"interface"`       // "" is any
	Loopback       bool        `json:"loopback"`
	ICEServers     []ICEServer `json:"ice_servers"`
}

// ICEServer is one STUN or TURN server (RFC 7064, RFC 7065).
type ICEServer struct {
	URLs           []string `json:"urls"`
	Username       string   `json:"username"`
	CredentialFile string   `json:"credential_file"`
}

// Camera says which pictures are taken, and how. Size and FPS are what the
// camera is asked for, before Rotation.
type Camera struct {
	Source       VideoSource  `json:"source"`
	Size         Size         `json:"size"`
	FPS          int          `json:"fps"`
	Format       string       `json:"format"`
	Rotation     int          `json:"rotation"` // in degrees, clockwise
	PowerLine    string       `json:"power_line"`
	Exposure     Exposure     `json:"exposure"`
	Focus        Focus        `json:"focus"`
	WhiteBalance WhiteBalance `json:"white_balance"`
	Loop         bool         `json:"loop"`
}

// Microphone says which sound is taken.
type Microphone struct {
	Source AudioSource `json:"source"`
	GainDB float64     `json:"gain_db"`
	Loop   bool        `json:"loop"`
}

// Video says how pictures are encoded here.
type Video struct {
	MaxBitRate BitRate  `json:"max_bitrate"`
	GOP        Duration `json:"gop"`     // between two IDR pictures
	Encoder    string   `json:"encoder"` // EncoderAuto and its like
}

// What encodes the pictures.
const (
	EncoderAuto     = "auto"     // the hardware; without, or while it fails, software
	EncoderHardware = "hardware" // the hardware or nothing
	EncoderSoftware = "software"
)

// Audio says how sound is encoded here.
type Audio struct {
	BitRate BitRate `json:"bitrate"`
}

// Session says what the conversation is called, and when live ends by itself.
type Session struct {
	Name            string   `json:"name"`              // "" is what SessionName finds
	NoViewerTimeout Duration `json:"no_viewer_timeout"` // 0 is never
	MaxLive         Duration `json:"max_live"`
	WarnBefore      Duration `json:"warn_before"` // 0 is no warning
}

// Media says when photos and clips may be taken, and what they tell of the glasses.
type Media struct {
	OutsideSession bool   `json:"outside_session"`
	Label          string `json:"label"` // "" is none
}

// Photo says how photos are made.
type Photo struct {
	Quality int `json:"quality"` // of JPEG
}

// Clip says how clips are made.
type Clip struct {
	PreRoll   Duration `json:"pre_roll"`
	MaxLength Duration `json:"max_length"`
	Sound     bool     `json:"sound"` // of the advisor's own microphone
}

// Spool says where photos and clips wait for their upload, for whose eyes only,
// and for how long.
type Spool struct {
	Dir       string   `json:"dir"` // "" is spool in the state directory
	Quota     ByteSize `json:"quota"`
	Recipient string   `json:"recipient"` // age1…; "" is what an endpoint on this machine says
	Retention Duration `json:"retention"`
}

// Upload says where photos and clips go.
type Upload struct {
	URL       string `json:"url"`        // "" is what an endpoint on this machine says
	LiveShare int    `json:"live_share"` // in percent of the stream's bit rate
}

// Cues says how the advisor hears what the glasses do.
type Cues struct {
	Device   string  `json:"device"`   // auto, none or an ALSA name
	Language string  `json:"language"` // none is sounds only
	VolumeDB float64 `json:"volume_db"`
}

// Talkback says how the advisor hears the customer.
type Talkback struct {
	Enabled  bool    `json:"enabled"`
	Device   string  `json:"device"` // "" is the one of the cues
	Output   string  `json:"output"` // OutputInEar or OutputOpen
	VolumeDB float64 `json:"volume_db"`
}

// Where the customer is heard.
const (
	OutputInEar = "in-ear" // by the advisor alone
	OutputOpen  = "open"   // and, a little, by the microphone
)

// Board says which board this is, and what its buttons do. The capture light is
// the profile's, and nothing here can change it.
type Board struct {
	Profile string  `json:"profile"` // auto, or the Name of a Profile
	Buttons Buttons `json:"buttons"`
}

// Buttons says what each gesture on each button of a profile does.
type Buttons struct {
	Button1 Gestures `json:"button1"`
	Button2 Gestures `json:"button2"`
}

// Gestures holds one of the actions for each gesture.
type Gestures struct {
	Short  string `json:"short"`
	Double string `json:"double"`
	Long   string `json:"long"`
}

// The actions of a gesture.
const (
	ActionNone      = "none"
	ActionLive      = "live"       // go live, or end it
	ActionPause     = "pause"      // pause, or go on
	ActionPhoto     = "photo"      // take a photo
	ActionPhotoShow = "photo-show" // take a photo and show it to the customer
	ActionClip      = "clip"       // begin a clip, or end it
	ActionMute      = "mute"       // hear the customer no longer, or again
)

// Power says from where on battery and heat count. The battery's are in percent,
// the others in degrees Celsius.
type Power struct {
	BatteryLow     int `json:"battery_low"`
	BatteryVeryLow int `json:"battery_very_low"`
	BatteryEmpty   int `json:"battery_empty"`
	Warm           int `json:"warm"`
	Hot            int `json:"hot"`
	VeryHot        int `json:"very_hot"`
}

// Control says where the daemon's socket and its files are. "" is the place
// that SocketPath and StatePath find.
type Control struct {
	Socket   string `json:"socket"`
	StateDir string `json:"state_dir"`
}

// Log says what is logged, and in which form.
type Log struct {
	Level  string `json:"level"`
	Format string `json:"format"`
}

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Uplink: Uplink{WHIPURL: "http://127.0.0.1:8080/whip/demo"},
		Camera: Camera{
			Source:    VideoSource{Kind: Auto},
			Size:      Size{Width: 1280, Height: 720},
			FPS:       30,
			Format:    "auto",
			PowerLine: "50hz",
		},
		Microphone: Microphone{Source: AudioSource{Kind: Auto}},
		Video:      Video{MaxBitRate: 2_500_000, GOP: Duration(10 * time.Second), Encoder: EncoderAuto},
		Audio:      Audio{BitRate: 64_000},
		Session: Session{
			NoViewerTimeout: Duration(10 * time.Minute),
			MaxLive:         Duration(2 * time.Hour),
			WarnBefore:      Duration(2 * time.Minute),
		},
		Photo:        Photo{Quality: 90},
		Clip:         Clip{PreRoll: Duration(5 * time.Second), MaxLength: Duration(time.Minute)},
		Spool:        Spool{Quota: 2_000_000_000, Retention: Duration(7 * day)},
		Upload:       Upload{LiveShare: 40},
		Cues:         Cues{Device: string(Auto), Language: string(None)},
		Provisioning: Provisioning{KeyFile: ProvisionKeyFile},
		Fleet:        Fleet{Enabled: true, MaxBitRate: maxBitRate, MaxRetention: Duration(182 * day)},
		Telemetry:    Telemetry{Enabled: true},
		Talkback:     Talkback{Enabled: true, Output: OutputOpen},
		Board: Board{
			Profile: ProfileAuto,
			Buttons: Buttons{
				Button1: Gestures{Short: ActionPhoto, Double: ActionPhotoShow, Long: ActionLive},
				Button2: Gestures{Short: ActionPause, Double: ActionNone, Long: ActionClip},
			},
		},
		Power: Power{BatteryLow: 20, BatteryVeryLow: 10, BatteryEmpty: 4, Warm: 70, Hot: 77, VeryHot: 83},
		Log:   Log{Level: "info", Format: "text"},
	}
}
