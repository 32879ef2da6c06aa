// Package network joins a Wi-Fi network through NetworkManager, over D-Bus, and leaves
// it again; and it finds out the time of a time server. It reads no code, and keeps no
// password: NetworkManager does, in a file that only root may read.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/godbus/dbus/v5"
)

// Security is how a network is protected.
type Security string

// The securities.
const (
	Open Security = "open"
	WPA2 Security = "wpa2" // personal
	WPA3 Security = "wpa3" // personal, by SAE
)

// Profile is a network to join. What prints it hides the password.
type Profile struct {
	SSID     string
	Security Security
	Password string
}

// String hides the password.
func (p Profile) String() string { return fmt.Sprintf("Wi-Fi %q (%s)", p.SSID, p.Security) }

// Format hides the password, whatever the verb.
func (p Profile) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

// LogValue hides the password.
func (p Profile) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText hides the password.
func (p Profile) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Why a network cannot be joined, found by errors.Is. Each comes with a hint.
var (
	ErrNoManager = errors.New("NetworkManager does not run")
	ErrNoWiFi    = errors.New("this board has no Wi-Fi that NetworkManager knows")
	ErrOff       = errors.New("Wi-Fi is switched off")
	ErrDenied    = errors.New("NetworkManager does not let this user change networks")
	ErrNotFound  = errors.New("there is no such network in reach")
	ErrPassword  = errors.New("the network does not take the password")
	ErrAddress   = errors.New("the network gives no address")
)

type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) Hint() string  { return h.hint }

// withHint adds what can be done about an error of this package.
func withHint(err error) error {
	for _, of := range []struct {
		err  error
		hint string
	}{
		{ErrNoManager, "set up the network by hand, then: bril enrol --server URL --token-file F"},
		{ErrNoWiFi, "connect a wire, or see whether nmcli device lists the Wi-Fi"},
		{ErrOff, "nmcli radio wifi on"},
		{ErrDenied, "the package brings the polkit rule that user bril needs; is polkit installed?"},
		{ErrNotFound, "is the board near the access point, and is the name of the network right? it may only be on a channel that the board does not have"},
		{ErrPassword, "make a new code with the right password"},
		{ErrAddress, "see whether DHCP works in that network"},
	} {
		if errors.Is(err, of.err) {
			return hinted{err, of.hint}
		}
	}
	return err
}

const (
	managerName = "org.freedesktop.NetworkManager"
	managerPath = "/org/freedesktop/NetworkManager"

	settingsPath    = managerPath + "/Settings"
	settingsName    = managerName + ".Settings"
	connectionName  = settingsName + ".Connection"
	activeName      = managerName + ".Connection.Active"
	deviceName      = managerName + ".Device"
	deniedName      = managerName + ".PermissionDenied"
	deniedSettings  = settingsName + ".PermissionDenied"
	accessDenied    = "org.freedesktop.DBus.Error.AccessDenied"
	stateChanged    = "StateChanged"
	deviceTypeWiFi  = 2 // NM_DEVICE_TYPE_WIFI
	noObject        = dbus.ObjectPath("/")
	saveInMemory    = uint32(2) // NM_SETTINGS_ADD_CONNECTION2_FLAG_IN_MEMORY
	saveOnDisk      = uint32(1) // NM_SETTINGS_UPDATE2_FLAG_TO_DISK
	noAutoconnect   = uint32(32)
	profilePrefix   = "Bril: "
	wirelessSetting = "802-11-wireless"
)

// Manager is NetworkManager.
type Manager struct{ bus *dbus.Conn }

// Connect connects to the bus at address, or to the system's for "". A machine
// without a bus has no NetworkManager.
func Connect(ctx context.Context, address string) (*Manager, error) {
	bus, err := dial(ctx, address)
	if err != nil {
		return nil, withHint(fmt.Errorf("look for NetworkManager: %w: %w", ErrNoManager, err))
	}
	var runs bool
	if err := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, managerName).Store(&runs); err == nil && runs {
		return &Manager{bus}, nil
	}
	_ = bus.Close() // nothing was asked for
	return nil, withHint(fmt.Errorf("look for NetworkManager: %w", ErrNoManager))
}

// dial makes a connection that does not outlive its use.
func dial(ctx context.Context, address string) (*dbus.Conn, error) {
	if address == "" {
		return dbus.ConnectSystemBus(dbus.WithContext(context.WithoutCancel(ctx)))
	}
	return dbus.Connect(address, dbus.WithContext(context.WithoutCancel(ctx)))
}

// Close lets go of the bus; networks stay as they are. A second call does nothing.
func (m *Manager) Close() error { return m.bus.Close() }

func (m *Manager) object(path dbus.ObjectPath) dbus.BusObject { return m.bus.Object(managerName, path) }

// get reads a property.
func get[T any](ctx context.Context, m *Manager, path dbus.ObjectPath, of, name string) (value T, err error) {
	var v dbus.Variant
	if err = m.object(path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, of, name).Store(&v); err == nil {
		err = dbus.Store([]any{v.Value()}, &value)
	}
	return value, err
}

// wifi returns the first Wi-Fi device that is managed.
func (m *Manager) wifi(ctx context.Context) (dbus.ObjectPath, error) {
	var devices []dbus.ObjectPath
	if err := m.object(managerPath).CallWithContext(ctx, managerName+".GetDevices", 0).Store(&devices); err != nil {
		return "", known(err)
	}
	for _, path := range devices {
		kind, err := get[uint32](ctx, m, path, deviceName, "DeviceType")
		if err != nil || kind != deviceTypeWiFi {
			continue // one that has just gone is none
		}
		if managed, err := get[bool](ctx, m, path, deviceName, "Managed"); err == nil && managed {
			return path, nil
		}
	}
	return "", ErrNoWiFi
}

// known gives an answer of the bus the name that it has here.
func known(err error) error {
	var answer dbus.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Name {
	case deniedName, deniedSettings, accessDenied:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.NoReply":
		return fmt.Errorf("%w: %w", ErrNoManager, err)
	}
	return err
}
