package cli

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/cue"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
)

// cueFlags override the configuration file.
type cueFlags struct{ config, device, language string }

func newCue(o *options) *cobra.Command {
	var f cueFlags
	names := []string{"all"}
	for _, c := range cue.All() {
		names = append(names, string(c))
	}
	c := &cobra.Command{
		Use:   "cue [NAME|all]",
		Short: "Play what the advisor hears",
		Long: `cue plays one of the cues that the advisor hears, or all of them, on the sound
output of the configuration. Without a name it lists them.

` + ExitCodes,
		Example:   "  bril cue\n  bril cue live\n  bril cue all --language nl --device hw:1,0",
		ValidArgs: names,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return arguments(names...)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			cues, err := f.load()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return o.listCues(c, cue.Language(cues.Language))
			}
			return o.playCues(c, cues, args[0])
		},
	}
	configFlag(c, &f.config)
	c.Flags().StringVar(&f.language, "language", "", "say them in `none`, nl, de or en, whatever the configuration says")
	c.Flags().StringVar(&f.device, "device", "", "ALSA `name` of the sound output, such as hw:1,0")
	return c
}

func (f cueFlags) load() (configs.Cues, error) {
	cfg, err := load(f.config)
	if err != nil {
		return configs.Cues{}, err
	}
	if f.language != "" {
		cfg.Cues.Language = f.language
	}
	switch {
	case f.device != "":
		cfg.Cues.Device = f.device
	case cfg.Cues.Device == string(configs.None): // to be heard all the same
		cfg.Cues.Device = string(configs.Auto)
	}
	return cfg.Cues, cfg.Validate()
}

type cueEntry struct {
	Name    session.Cue             `json:"name"`
	Meaning string                  `json:"meaning"`
	Words   map[cue.Language]string `json:"words"`
}

func (o *options) listCues(c *cobra.Command, l cue.Language) error {
	list := struct {
		SchemaVersion int        `json:"schema_version"`
		Cues          []cueEntry `json:"cues"`
	}{SchemaVersion: schemaVersion}
	for _, name := range cue.All() {
		words := map[cue.Language]string{}
		for _, l := range cue.Languages() {
			words[l] = cue.Words(name, l)
		}
		list.Cues = append(list.Cues, cueEntry{name, cue.Meaning(name), words})
	}
	return o.print(c, list, func(w io.Writer) error {
		var b strings.Builder
		for _, e := range list.Cues {
			fmt.Fprintf(&b, "%-17s%-37s%s\n", e.Name, e.Meaning, e.Words[l])
		}
		return writeTrimmed(w, b.String())
	})
}

// writeTrimmed leaves out the spaces before the ends of lines.
func writeTrimmed(w io.Writer, text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o *options) playCues(c *cobra.Command, cfg configs.Cues, name string) error {
	cues := cue.All()
	if name != "all" {
		cues = []session.Cue{session.Cue(name)}
	}
	p := cue.NewPlayer(cue.Config{
		Device: cfg.Device, Language: cue.Language(cfg.Language), Volume: cfg.VolumeDB,
		Log: slog.New(slog.DiscardHandler), // what is wrong comes back as an error
	})
	if err := p.Play(c.Context(), cues...); err != nil {
		return err
	}
	played := struct {
		SchemaVersion int           `json:"schema_version"`
		Played        []session.Cue `json:"played"`
	}{schemaVersion, slices.Clone(cues)}
	return o.print(c, played, func(io.Writer) error { return nil })
}
