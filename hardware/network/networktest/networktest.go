// Package networktest is a NetworkManager that joins nothing, on a bus of its own, for
// tests.
package networktest

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	name       = "org.freedesktop.NetworkManager"
	root       = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	settings   = name + ".Settings"
	connection = settings + ".Connection"
	device     = root + "/Devices/1"
	active     = root + "/ActiveConnection/1"
)

// Bus starts a bus that ends with the test, and returns its address. The test is
// skipped where there is no dbus-daemon.
func Bus(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("dbus-daemon is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--nofork", "--print-address", "--config-file="+config)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// Trouble is what a Manager has, none at first.
type Trouble struct {
	Fails  uint32 // the reason of NMDeviceStateReason for which joining fails; 0 for none
	Hangs  bool   // joining never ends
	Denied bool   // it refuses all changes
}

// Manager is the fake.
type Manager struct {
	conn  *dbus.Conn
	props *prop.Properties // of the active connection

	mu    sync.Mutex
	now   Trouble
	all   map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	disk  map[dbus.ObjectPath]bool
	count int
	began chan struct{}
}

// Start puts a manager on the bus, with or without a Wi-Fi device.
func Start(t testing.TB, bus string, wifi bool) *Manager {
	t.Helper()
	conn, err := dbus.Connect(bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &Manager{conn: conn, all: map[dbus.ObjectPath]map[string]map[string]dbus.Variant{}, disk: map[dbus.ObjectPath]bool{}, began: make(chan struct{}, 16)}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	kind := uint32(1) // a wire
	if wifi {
		kind = 2
	}
	must(conn.ExportMethodTable(map[string]any{
		"GetDevices":         func() ([]dbus.ObjectPath, *dbus.Error) { return []dbus.ObjectPath{device}, nil },
		"ActivateConnection": m.activate,
	}, root, name))
	must(conn.ExportMethodTable(map[string]any{"AddConnection2": m.add, "ListConnections": m.list}, root+"/Settings", settings))
	constant := func(value any) *prop.Prop { return &prop.Prop{Value: value} }
	_, err = prop.Export(conn, root, prop.Map{name: {"WirelessEnabled": constant(true), "NetworkingEnabled": constant(true)}})
	must(err)
	_, err = prop.Export(conn, device, prop.Map{name + ".Device": {"DeviceType": constant(kind), "Managed": constant(true)}})
	must(err)
	m.props, err = prop.Export(conn, active, prop.Map{name + ".Connection.Active": {"State": constant(uint32(0))}})
	must(err)
	_, err = conn.RequestName(name, dbus.NameFlagDoNotQueue)
	must(err)
	return m
}

// Have gives it trouble.
func (m *Manager) Have(t Trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = t
}

func (m *Manager) trouble() Trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func denied() *dbus.Error { return dbus.NewError(name+".PermissionDenied", []any{"not authorized"}) }

func (m *Manager) add(s map[string]map[string]dbus.Variant, flags uint32, _ map[string]dbus.Variant) (dbus.ObjectPath, map[string]dbus.Variant, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.Denied {
		return "/", nil, denied()
	}
	m.count++
	path := dbus.ObjectPath(fmt.Sprintf("%s/Settings/%d", root, m.count))
	m.all[path], m.disk[path] = s, flags&1 != 0
	table := map[string]any{
		"Delete":      func() *dbus.Error { return m.drop(path) },
		"GetSettings": func() (map[string]map[string]dbus.Variant, *dbus.Error) { return m.get(path), nil },
		"Update2": func(_ map[string]map[string]dbus.Variant, flags uint32, _ map[string]dbus.Variant) (map[string]dbus.Variant, *dbus.Error) {
			m.keep(path, flags)
			return map[string]dbus.Variant{}, nil
		},
	}
	if err := m.conn.ExportMethodTable(table, path, connection); err != nil {
		return "/", nil, dbus.MakeFailedError(err)
	}
	return path, map[string]dbus.Variant{}, nil
}

func (m *Manager) drop(path dbus.ObjectPath) *dbus.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, path)
	return nil
}

func (m *Manager) get(path dbus.ObjectPath) map[string]map[string]dbus.Variant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[path]
}

func (m *Manager) keep(path dbus.ObjectPath, flags uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk[path] = flags&1 != 0
}

func (m *Manager) list() ([]dbus.ObjectPath, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.all)), nil
}

func (m *Manager) activate(path, _, _ dbus.ObjectPath) (dbus.ObjectPath, *dbus.Error) {
	select {
	case m.began <- struct{}{}:
	default:
	}
	now := m.trouble()
	if now.Hangs {
		return active, nil
	}
	state := func(now, before, reason uint32) {
		_ = m.conn.Emit(device, name+".Device.StateChanged", now, before, reason)
	}
	state(40, 30, 0)
	if now.Fails != 0 {
		state(120, 50, now.Fails)
		return active, nil
	}
	m.props.SetMust(name+".Connection.Active", "State", uint32(2))
	state(100, 90, 0)
	return active, nil
}

// Began delivers a value for each network that was to be joined.
func (m *Manager) Began() <-chan struct{} { return m.began }

// Profile is one that the manager has.
type Profile struct {
	ID, SSID, Management, Password string
	Kept                           bool // on the disk
}

// Profiles returns those that there are.
func (m *Manager) Profiles() (list []Profile) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for path, s := range m.all {
		text := func(of, key string) string { v, _ := s[of][key].Value().(string); return v }
		ssid, _ := s["802-11-wireless"]["ssid"].Value().([]byte)
		const security = "802-11-wireless-security"
		p := Profile{text("connection", "id"), string(ssid), text(security, "key-mgmt"), text(security, "psk"), m.disk[path]}
		list = append(list, p)
	}
	return list
}
