package showroom

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/post"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

const outboxDir = "outbox" // in the data directory

// withOffice runs next, and beside it what conversations need: records, mail and
// the desk. Without a data directory there are none. base is the address in mails.
func (s *Server) withOffice(ctx context.Context, base string, next func(context.Context) error) (err error) {
	s.records, s.desk, s.rooms = nil, nil, nil
	if s.cfg.DataDir == "" {
		return next(ctx)
	}
	if s.records, err = records.Open(records.Config{Dir: s.cfg.DataDir, Clock: s.now, Log: s.log}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.records.Close()) }()
	queue, err := mail.Open(mail.Config{
		Dir: filepath.Join(s.cfg.DataDir, outboxDir), SMTP: s.cfg.SMTP, PasswordFile: s.cfg.SMTPPasswordFile,
		From: s.cfg.MailFrom, Clock: s.now, Log: s.log,
	})
	if err != nil {
		return withHint(err)
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	s.rooms = &rooms{relay: s.relay}
	if s.desk, err = desk.New(ctx, s.deskConfig(queue, base)); err != nil {
		return err
	}
	s.rooms.tell = s.desk.Published
	defer s.rooms.close()
	return together(ctx, next, queue.Run, s.desk.Run)
}

func (s *Server) deskConfig(queue *mail.Queue, base string) desk.Config {
	letters := post.New(post.Config{
		Queue: queue, Plan: s.plan, Base: base, Key: s.keys.Key, Keep: cmp.Or(s.cfg.Retention, media.MaxRetention), Clock: s.now, Log: s.log,
	})
	return desk.Config{
		Records: s.records, Hours: s.plan, Post: letters, Media: stored{s.media}, Clock: s.now, Log: s.log,
		EndRoom: s.rooms.end, ConsentText: post.ConsentVersion,
	}
}

// together runs next, and what is beside it until next returns.
func together(ctx context.Context, next func(context.Context) error, beside ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	for _, run := range beside {
		g.Go(func() error { return run(ctx) })
	}
	g.Go(func() error {
		defer cancel()
		return next(ctx)
	})
	return g.Wait()
}

// stored tells the desk of photos and clips.
type stored struct{ *media.Store }

// Items returns those of a conversation.
func (s stored) Items(cid string) []desk.Item {
	var list []desk.Item
	for _, item := range s.List(cid) {
		list = append(list, desk.Item{ID: item.ID, Kind: string(item.Kind), URL: item.URL})
	}
	return list
}

// Running counts all: what an upload is of is known once it is complete and
// decrypted.
func (s stored) Running(string) int { return s.Unfinished() }
