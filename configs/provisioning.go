package configs

// ProvisionKeyFile is where the package puts the brand's provisioning key.
const ProvisionKeyFile = "/usr/share/bril/provision.pub"

// Provisioning says how the glasses may be set up by a QR code.
type Provisioning struct {
	KeyFile string `json:"key_file"` // of the keys that sign codes; where there is none they are off
}
