package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/configs/fleet"
)

func (f *fleetCommand) rollback() *cobra.Command {
	var roll rolloutFlags
	var to uint64
	valid := defaultValid
	var secrets []string
	c := f.withTrust(f.withKey(f.remote(&cobra.Command{
		Use: "rollback", Short: "Sign an old configuration anew, and roll it out", Args: noArguments,
		Long: `rollback takes the content of an old bundle, signs it under the next serial
and pushes it to the same devices: glasses never take an older serial. Where
the old bundle had secrets, they have to be given again. It has to be signed by
--key or a key of --trust: what the server says of it is not signed unseen.
` + exitCodes,
		Example: `  showroom fleet rollback --to 11 --at-once --reason "12 drops frames"`,
		RunE: func(c *cobra.Command, _ []string) error {
			if to == 0 {
				return usageError{errors.New("rollback needs --to SERIAL; showroom fleet history lists them")}
			}
			p, err := roll.push()
			if err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			key, err := f.readKey()
			if err != nil {
				return err
			}
			old, err := f.signedBefore(c.Context(), client, to, key)
			if err != nil {
				return err
			}
			now := time.Now()
			b := fleet.Bundle{Audience: old.Audience, NotBefore: now.Add(-time.Minute), Expires: now.Add(time.Duration(valid)),
				Retry: true, Secrets: map[string]string{}, Configuration: old.Configuration}
			if err := (&bundleFlags{secrets: secrets}).readSecrets(b.Secrets); err != nil {
				return err
			}
			if missing := missingSecrets(old.Secrets, b.Secrets); len(missing) > 0 {
				return usageError{fmt.Errorf("bundle %d has the secrets %s: give them again, --secret NAME=FILE", to, strings.Join(missing, ", "))}
			}
			return f.signed(c, client, b, key, p, roll)
		},
	})))
	roll.add(c)
	c.Flags().Uint64Var(&to, "to", 0, "the serial of the old bundle")
	c.Flags().Var(&valid, "valid", "for how long it may arrive, as 90d")
	c.Flags().StringArrayVar(&secrets, "secret", nil, "`NAME=FILE`; may be repeated")
	return c
}

func missingSecrets(wanted, given map[string]string) (missing []string) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := given[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}
