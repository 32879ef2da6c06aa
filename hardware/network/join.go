package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// leaveTime is how long NetworkManager has to forget a network.
const leaveTime = 5 * time.Second

// Network is one that was joined. It is in NetworkManager's memory only until Keep.
type Network struct {
	m    *Manager
	path dbus.ObjectPath // of its connection
	id   string
}

type settings map[string]map[string]dbus.Variant

func (p Profile) settings() (settings, error) {
	s := settings{
		"connection": {
			"id": dbus.MakeVariant(profilePrefix + p.SSID), "type": dbus.MakeVariant(wirelessSetting),
			"autoconnect": dbus.MakeVariant(true),
		},
		wirelessSetting: {"ssid": dbus.MakeVariant([]byte(p.SSID)), "mode": dbus.MakeVariant("infrastructure")},
		"ipv4":          {"method": dbus.MakeVariant("auto")},
		"ipv6":          {"method": dbus.MakeVariant("auto")},
	}
	management := map[Security]string{WPA2: "wpa-psk", WPA3: "sae"}[p.Security]
	switch {
	case p.SSID == "" || p.Security != Open && management == "":
		return nil, fmt.Errorf("%v is no network", p)
	case p.Security != Open:
		s[wirelessSetting+"-security"] = map[string]dbus.Variant{
			"key-mgmt": dbus.MakeVariant(management), "psk": dbus.MakeVariant(p.Password),
		}
	}
	return s, nil
}

// Add gives NetworkManager a network, in memory: a restart forgets it. It is not
// joined yet. It works without a Wi-Fi device.
func (m *Manager) Add(ctx context.Context, p Profile) (*Network, error) {
	s, err := p.settings()
	if err != nil {
		return nil, fmt.Errorf("add a network: %w", err)
	}
	n := &Network{m: m, id: profilePrefix + p.SSID}
	var more map[string]dbus.Variant
	call := m.object(settingsPath).CallWithContext(ctx, settingsName+".AddConnection2", 0,
		s, saveInMemory|noAutoconnect, map[string]dbus.Variant{})
	if err := call.Store(&n.path, &more); err != nil {
		return nil, withHint(fmt.Errorf("add %v: %w", p, known(err)))
	}
	return n, nil
}

// Join adds a network and waits until it has an address, or until ctx ends. A network
// that cannot be joined is removed.
func (m *Manager) Join(ctx context.Context, p Profile) (*Network, error) {
	device, err := m.ready(ctx)
	if err != nil {
		return nil, withHint(fmt.Errorf("join %v: %w", p, err))
	}
	n, err := m.Add(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := n.activate(ctx, device); err != nil {
		err = fmt.Errorf("join %v: %w", p, err)
		return nil, withHint(errors.Join(err, n.Remove(ctx)))
	}
	return n, nil
}

// ready returns the device that joins.
func (m *Manager) ready(ctx context.Context) (dbus.ObjectPath, error) {
	device, err := m.wifi(ctx)
	if err != nil {
		return "", err
	}
	for _, switched := range []string{"WirelessEnabled", "WirelessHardwareEnabled", "NetworkingEnabled"} {
		if on, err := get[bool](ctx, m, managerPath, managerName, switched); err == nil && !on {
			return "", ErrOff
		}
	}
	return device, nil
}

// activate connects and waits for the end of it. The device is heard, which knows why
// it fails, before it is told to connect.
func (n *Network) activate(ctx context.Context, device dbus.ObjectPath) error {
	states := make(chan *dbus.Signal, 64) // some ten for an attempt
	n.m.bus.Signal(states)
	defer n.m.bus.RemoveSignal(states)
	match := []dbus.MatchOption{dbus.WithMatchObjectPath(device), dbus.WithMatchInterface(deviceName), dbus.WithMatchMember(stateChanged)}
	if err := n.m.bus.AddMatchSignalContext(ctx, match...); err != nil {
		return err
	}
	defer func() { _ = n.m.bus.RemoveMatchSignal(match...) }() // ends with the connection
	var active dbus.ObjectPath
	call := n.m.object(managerPath).CallWithContext(ctx, managerName+".ActivateConnection", 0, n.path, device, noObject)
	if err := call.Store(&active); ctx.Err() != nil {
		return late(ctx)
	} else if err != nil {
		return known(err)
	}
	return n.wait(ctx, active, device, states)
}

func (n *Network) wait(ctx context.Context, active, device dbus.ObjectPath, states <-chan *dbus.Signal) error {
	for {
		// What has happened before the signal was heard.
		if now, err := get[uint32](ctx, n.m, active, activeName, "State"); err == nil && now == activated {
			return nil
		}
		select {
		case s, open := <-states:
			if !open {
				return ErrNoManager
			}
			if err := failure(s, device); err != nil {
				return err
			}
		case <-ctx.Done():
			return late(ctx)
		}
	}
}

func late(ctx context.Context) error {
	return fmt.Errorf("it is not joined in time: %w", context.Cause(ctx))
}

// Of NMActiveConnectionState and NMDeviceState, and NMDeviceStateReason.
const (
	activated = 2

	deviceDisconnected = 30
	deviceNeedsAuth    = 60
	deviceFailed       = 120

	reasonNewActivation = 60
)

// failure says why the device gave up; nil when it did not. A device that needs a
// password although it was given one was refused; NetworkManager looks for someone to
// ask then.
func failure(s *dbus.Signal, device dbus.ObjectPath) error {
	var now, before, reason uint32
	if s.Path != device || s.Name != deviceName+"."+stateChanged || dbus.Store(s.Body, &now, &before, &reason) != nil {
		return nil
	}
	gone := now == deviceFailed || now < deviceDisconnected
	retries := now == deviceNeedsAuth && (reason == 8 || reason == 11) // after the supplicant
	if !gone && !retries || reason == reasonNewActivation {
		return nil
	}
	switch reason {
	case 53: // SSID_NOT_FOUND
		return ErrNotFound
	case 7, 8, 9, 10, 11: // NO_SECRETS, SUPPLICANT_…
		return ErrPassword
	case 5, 15, 16, 17: // IP_CONFIG_UNAVAILABLE, DHCP_…
		return ErrAddress
	}
	return fmt.Errorf("NetworkManager gives up, for reason %d of NMDeviceStateReason", reason)
}

// Keep has the network stay over restarts, in place of an earlier one of the same
// name that Bril added.
func (n *Network) Keep(ctx context.Context) error {
	var more map[string]dbus.Variant
	call := n.object().CallWithContext(ctx, connectionName+".Update2", 0, settings{}, saveOnDisk, map[string]dbus.Variant{})
	if err := call.Store(&more); err != nil {
		return withHint(fmt.Errorf("keep the network: %w", known(err)))
	}
	return n.removeOthers(ctx)
}

func (n *Network) removeOthers(ctx context.Context) error {
	var all []dbus.ObjectPath
	if err := n.m.object(settingsPath).CallWithContext(ctx, settingsName+".ListConnections", 0).Store(&all); err != nil {
		return fmt.Errorf("list the networks: %w", known(err))
	}
	for _, path := range all {
		other := &Network{m: n.m, path: path}
		if path == n.path || other.name(ctx) != n.id {
			continue
		}
		if err := other.Remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// name returns the id; "" of one that has gone.
func (n *Network) name(ctx context.Context) string {
	var s settings
	if err := n.object().CallWithContext(ctx, connectionName+".GetSettings", 0).Store(&s); err != nil {
		return ""
	}
	id, _ := s["connection"]["id"].Value().(string)
	return id
}

// Remove leaves the network and forgets it, even when ctx has ended.
func (n *Network) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := n.object().CallWithContext(ctx, connectionName+".Delete", 0).Err; err != nil {
		return fmt.Errorf("remove the network: %w", known(err))
	}
	return nil
}

func (n *Network) object() dbus.BusObject { return n.m.object(n.path) }
