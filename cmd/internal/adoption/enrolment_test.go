package adoption

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

const other = "bbbbbbbbbbbbbbbbbbbbbbbbbb"

// as has the next agent be of another enrolment.
func (g *glasses) as(id string, keys ...string) {
	g.cfg.Member.Device, g.cfg.Keys = id, keys
}

// The floor is of a fleet's root key: who enrols anew there does not lower it, and
// another fleet has its own.
func TestFloorsOfTwoFleets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		root, second := g.key, keyOf("second")
		live := func(id string, key string, step func()) {
			g.as(id, key)
			end := g.live()
			step()
			end()
		}
		live(device, public(root), func() {
			g.offerBundle(bundle(9))
			g.want(9, 9, fleet.Confirmed)
		})
		live(other, public(second), func() { // what was set is dropped
			g.want(0, 0, "")
			g.key = second
			g.offerBundle(bundle(2))
			g.want(2, 2, fleet.Confirmed)
		})
		live("cccccccccccccccccccccccccc", public(root), func() {
			g.key = root
			g.offerBundle(bundle(8))
			if r := g.want(0, 8, fleet.Refused); r.Attempted.Element != "serial" || r.Floor != 9 {
				t.Errorf("%+v", r)
			}
			g.offerBundle(bundle(10))
			g.want(10, 10, fleet.Confirmed)
		})
		live("dddddddddddddddddddddddddd", public(second), func() {
			if r := g.want(0, 0, ""); r.Floor != 2 {
				t.Errorf("the floor of the second fleet is %d", r.Floor)
			}
		})
	})
}

// Keys are pinned at the first look: a later document does not change them, and one that
// has some for the first time does.
func TestPins(t *testing.T) {
	g := newGlasses(t)
	foreign := keyOf("foreign")
	g.cfg.Keys = nil
	g.open().Offer(sign(t, bundle(1), g.key))
	g.cfg.Keys = []string{"no key", public(g.key)}
	g.open()
	g.cfg.Keys = []string{public(foreign)}
	a := g.open()
	a.Offer(sign(t, bundle(1), foreign))
	if r := a.Report(); r.Attempted.Element != "signature" || a.candidate != nil {
		t.Errorf("a foreign key: %+v", r.Attempted)
	}
	a.Offer(sign(t, bundle(2), g.key))
	if a.candidate == nil {
		t.Errorf("the pinned one: %+v", a.Report().Attempted)
	}
}

// Nobody's board takes nothing, and keeps what it has for whoever looks.
func TestNobody(t *testing.T) {
	g := newGlasses(t)
	staged(t, g, 1)
	was := tree(t, g.cfg.Dir)
	g.as("", public(g.key))
	a := g.open()
	if start, err := a.Begin(); err != nil || start.Bundle != nil {
		t.Errorf("%+v, %v", start, err)
	}
	a.Offer(sign(t, bundle(2), g.key))
	if a.candidate != nil {
		t.Error("nobody's board takes a bundle")
	}
	sameTree(t, was, tree(t, g.cfg.Dir))
}

// A successor signs once the bundle that names it is confirmed, and not before; the one
// before it never again, also where the state is lost.
func TestSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		next := keyOf("next")
		end := g.live()
		g.proves(func(context.Context, *fleet.Bundle) error { return errBad })
		b := bundle(2)
		b.Successor = public(next)
		g.offerBundle(b) // it fails, and names nobody
		time.Sleep(time.Second)
		g.offer(sign(t, bundle(3), next))
		if r := g.now().Report(); r.Attempted.Element != "signature" {
			t.Fatalf("%+v", r.Attempted)
		}
		g.proves(nil)
		b = bundle(4)
		b.Successor = public(next)
		g.offerBundle(b)
		g.want(4, 4, fleet.Confirmed)
		end()
		for i, lose := range []string{"", stateFile, pinsFile} {
			if lose != "" {
				if err := halve(find(t, g.cfg.Dir, lose)); err != nil {
					t.Fatal(err)
				}
			}
			end = g.live()
			time.Sleep(time.Second)
			g.offerBundle(bundle(50)) // by the root
			if at := g.now().Report().Attempted; at == nil || at.Element != "signature" {
				t.Errorf("without %q: %+v", lose, at)
			}
			serial := uint64(51 + i)
			g.offer(sign(t, bundle(serial), next))
			g.want(serial, serial, fleet.Confirmed)
			end()
		}
	})
}

// An agent that cannot be made of a bundle returns to what there was.
func TestBroken(t *testing.T) {
	g := newGlasses(t)
	cause := errors.New("bril.yaml:3: it does not go with bundle 1")
	staged(t, g, 1)
	a := g.open()
	if _, err := a.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := a.Broken(cause); err != nil {
		t.Fatal(err)
	}
	start, err := a.Begin()
	if r := a.Report(); err != nil || start.Bundle != nil || r.Running.Serial != 0 || r.Attempted.Phase != fleet.Returned || !strings.Contains(r.Attempted.Error, "bril.yaml:3") {
		t.Errorf("%+v, %v: %+v", start, err, r)
	}
	if err := a.Broken(cause); err != nil { // nothing to drop
		t.Error(err)
	}
}
