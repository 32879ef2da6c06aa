package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newPhoto(o *options) *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "photo",
		Short: "Take a photo, and keep it for the cloud",
		Long: `photo takes the sharpest of the next few pictures and returns once it is safe on
the glasses: encrypted for the cloud, which gets it as soon as there is a
network. It needs a conversation, unless media.outside_session is set.

` + ExitCodes,
		Example: "  bril photo\n  bril photo --show\n  bril photo --json | jq -r .id",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			defer client.Close()
			photo, err := client.Photo(c.Context(), show)
			if err != nil {
				return err
			}
			v := struct {
				SchemaVersion int `json:"schema_version"`
				control.Photo
			}{schemaVersion, photo}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, photoLine(photo, show))
				return err
			})
		},
	}
	c.Flags().BoolVar(&show, "show", false, "show it on the customer's screen, too")
	return c
}

// photoLine says what has become of a photo, in 80 columns.
func photoLine(p control.Photo, show bool) string {
	where := "safe on the glasses"
	if show {
		where = "safe, to be shown"
	}
	return fmt.Sprintf("photo %s is %s (sharpest of %d, %.0f ms)", p.ID, where, p.Frames, p.ChooseMS+p.EncodeMS+p.StoreMS)
}

func newClip(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "clip start|stop",
		Short: "Begin a clip, or end it",
		Long: `clip start begins a clip with the seconds before it (clip.pre_roll), and stop
ends it and returns once it is safe on the glasses: encrypted for the cloud. It
ends by itself after clip.max_length, and with the conversation or its pause.

` + ExitCodes,
		Example:   "  bril clip start\n  bril clip stop",
		ValidArgs: []string{"start", "stop"},
		Args:      arguments("start", "stop"),
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			action := control.ClipAction(args[0])
			clip, err := client.Clip(c.Context(), action)
			if err != nil {
				return err
			}
			v := struct {
				SchemaVersion int `json:"schema_version"`
				control.Clip
			}{schemaVersion, clip}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, clipLine(clip, action))
				return err
			})
		},
	}
}

func clipLine(clip control.Clip, action control.ClipAction) string {
	if action == control.StartClip {
		return "clip " + clip.ID + " has begun; bril clip stop ends it"
	}
	return fmt.Sprintf("clip %s is safe on the glasses (%.1f s)", clip.ID, clip.DurationSeconds)
}
