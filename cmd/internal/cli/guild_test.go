package cli_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
)

// guildMain is the program `guild ADDRESS DATA`: the reference endpoint that takes
// enrolled boards only, until SIGTERM.
func guildMain() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	exit(os.MkdirAll(os.Args[2], 0o700))
	server, err := showroom.New(showroom.Config{Listen: os.Args[1], DataDir: os.Args[2], TLSOwn: true, RequireEnrolment: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	exit(err)
	exit(server.Run(ctx, func(url string) { fmt.Println("serves", url) }))
}

// memberMain is the program `member DATA token NAME [SERIAL]`, which prints a token,
// and `member DATA revoke NAME`.
func memberMain() {
	server, err := privacy.Dial(filepath.Join(os.Args[1], privacy.SocketName))
	exit(err)
	c := devices.NewClient(server.HTTP())
	if os.Args[2] == "revoke" {
		_, err := c.Revoke(context.Background(), os.Args[3])
		exit(err)
		return
	}
	wanted := devices.Wanted{Name: os.Args[3], Label: "Anna's glasses"}
	if len(os.Args) > 4 {
		wanted.Serial = os.Args[4]
	}
	made, err := c.NewToken(context.Background(), wanted)
	exit(err)
	fmt.Println(made.Text)
}
