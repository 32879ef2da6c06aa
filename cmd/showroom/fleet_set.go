package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs/fleet"
)

// resolve puts IDs in the place of names, and what is set over what was.
func (f *fleetCommand) resolve(ctx context.Context, client *manager.Client, b *fleet.Bundle, set []string, key ed25519.PrivateKey) error {
	for i, who := range b.Audience.Devices {
		d, err := client.Device(ctx, who)
		if err != nil {
			return err
		}
		b.Audience.Devices[i] = d.Device.Device
	}
	if len(set) == 0 {
		return nil
	}
	before, err := f.newestFor(ctx, client, b.Audience, key)
	if err != nil {
		return err
	}
	if before != nil && len(before.Secrets) > 0 && len(b.Secrets) == 0 {
		return advised{errors.New("the bundle before has secrets, which only its file has"), "push --config with --secret NAME=FILE"}
	}
	text := ""
	if before != nil {
		text = before.Configuration
	}
	b.Configuration, err = withSet(text, set)
	return err
}

// newestFor returns the newest bundle for the same devices, as it was signed; nil for
// none.
func (f *fleetCommand) newestFor(ctx context.Context, client *manager.Client, a fleet.Audience, key ed25519.PrivateKey) (*fleet.Bundle, error) {
	list, err := client.Bundles(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.State == service.StateStopped || !sameDevices(r.Audience, a) {
			continue
		}
		b, err := f.signedBefore(ctx, client, r.Serial, key)
		if err != nil {
			return nil, err
		}
		if !sameDevices(b.Audience, a) {
			return nil, fmt.Errorf("the server tells bundle %d as one for %v, and it is signed for %v", r.Serial, r.Audience, b.Audience)
		}
		return &b, nil
	}
	return nil, nil
}

func sameDevices(a, b fleet.Audience) bool {
	a.Fleet, b.Fleet = "", ""
	return a.String() == b.String() && slices.Equal(a.Devices, b.Devices)
}

// signedBefore is a bundle whose content is to be signed again: what the server tells of
// it counts only where the fleet's key, or one that is trusted beside it, has signed it.
func (f *fleetCommand) signedBefore(ctx context.Context, client *manager.Client, serial uint64, key ed25519.PrivateKey) (fleet.Bundle, error) {
	keys := []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}
	for _, path := range f.trust {
		more, err := readPublic(path)
		if err != nil {
			return fleet.Bundle{}, err
		}
		keys = append(keys, more...)
	}
	b, err := client.Signed(ctx, serial, keys...)
	if errors.Is(err, fleet.ErrSignature) {
		return b, advised{err, "where another key has signed it, --trust FILE.pub of that key; else the server has changed it"}
	}
	return b, err
}

// withSet returns a configuration with keys set, such as video.max_bitrate=1.5M.
func withSet(text string, set []string) (string, error) {
	root := yaml.MapSlice{}
	if err := yaml.UnmarshalWithOptions([]byte(text), &root, yaml.UseOrderedMap()); err != nil {
		return "", fmt.Errorf("read the bundle before: %w", err)
	}
	for _, s := range set {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return "", usageError{fmt.Errorf("--set %q is not KEY=VALUE", s)}
		}
		var parsed any
		if err := yaml.UnmarshalWithOptions([]byte(value), &parsed, yaml.UseOrderedMap()); err != nil {
			return "", usageError{fmt.Errorf("--set %s: the value is not YAML", key)}
		}
		root = put(root, strings.Split(key, "."), parsed)
	}
	out, err := yaml.MarshalWithOptions(root, yaml.IndentSequence(true))
	return string(out), err
}

func put(m yaml.MapSlice, path []string, value any) yaml.MapSlice {
	for i, item := range m {
		if item.Key != path[0] {
			continue
		}
		if len(path) == 1 {
			m[i].Value = value
			return m
		}
		below, _ := item.Value.(yaml.MapSlice) // what is no section becomes one
		m[i].Value = put(below, path[1:], value)
		return m
	}
	if len(path) > 1 {
		value = put(nil, path[1:], value)
	}
	return append(m, yaml.MapItem{Key: path[0], Value: value})
}
