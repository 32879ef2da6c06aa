package devices

import "time"

// SchemaVersion counts the incompatible changes of a Document.
const SchemaVersion = 1

// Document is what a board is told when it is enrolled, and may ask for later: all
// that it needs beside its key.
type Document struct {
	SchemaVersion int       `json:"schema_version"`
	Device        string    `json:"device"` // its ID
	Name          string    `json:"name"`   // where it publishes
	Label         string    `json:"label"`
	Endpoint                // where it reaches what
	Certificate   string    `json:"certificate,omitempty"` // PEM, the device's first; only when one was made
	Issued        time.Time `json:"issued"`                // its newest certificate
	NotAfter      time.Time `json:"not_after"`             // of that certificate
	Time          time.Time `json:"time"`                  // now
}

// Endpoint is what all devices are told of the endpoint, for one name.
type Endpoint struct {
	Server            string            `json:"server"` // its address
	WHIP              string            `json:"whip_url"`
	Uploads           string            `json:"uploads_url"`
	Events            string            `json:"events_url"`
	Support           string            `json:"support_url"`        // takes support bundles; "" for none
	TrustedOrigins    []string          `json:"trusted_origins"`    // others that may get requests and media
	ICEServers        []ICEServer       `json:"ice_servers"`        // STUN and TURN
	Recipient         string            `json:"recipient"`          // of age: photos and clips are for it
	ConfigurationKeys []string          `json:"configuration_keys"` // ed25519:BASE64, that may sign configuration
	FleetURL          string            `json:"fleet_url"`          // below which the fleet's service is; "" for none
	Fleet             string            `json:"fleet"`              // its name
	Labels            map[string]string `json:"labels"`             // of the device
	Roots             string            `json:"roots"`              // PEM, the authorities of the server; "" for the system's
}

// ICEServer is one of RTCIceServer's (W3C WebRTC, section 4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}
