package showroom

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/post"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

const outboxDir = "outbox" // in the data directory

// withRecords opens them for next. They are there before the media store, which asks
// them what was erased. Without a data directory there are none.
func (s *Server) withRecords(next func() error) (err error) {
	s.records = nil
	if s.cfg.DataDir == "" {
		return next()
	}
	if s.records, err = records.Open(records.Config{Dir: s.cfg.DataDir, Clock: s.now, Log: s.log}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.records.Close()) }()
	return next()
}

// withOffice runs next, and beside it what conversations need: mail and the desk.
// Without records there are none. base is the address in mails.
func (s *Server) withOffice(ctx context.Context, base string, next func(context.Context) error) (err error) {
	s.desk, s.rooms, s.staff, s.devices, s.fleet = nil, nil, nil, nil, nil
	if s.records == nil {
		return next(ctx)
	}
	queue, err := mail.Open(mail.Config{
		Dir: filepath.Join(s.cfg.DataDir, outboxDir), SMTP: s.cfg.SMTP, PasswordFile: s.cfg.SMTPPasswordFile,
		From: s.cfg.MailFrom, Clock: s.now, Log: s.log, Known: privacy.Known(s.records),
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
	if s.staff, err = staff.New(staff.Config{
		Records: s.records, Showrooms: s.plan.Showrooms(), Desk: staffDesk{s}, Mail: queue,
		Secure: s.tls != nil, Clock: s.now, Log: s.log,
	}); err != nil {
		return err
	}
	s.openDevices(base)
	if err := s.openFleet(ctx); err != nil {
		return err
	}
	keeper := privacy.New(privacy.Config{
		Records: s.records, Media: s.media, Mail: queue, Retention: s.cfg.Retention, Clock: s.now, Log: s.log, End: s.endErased,
	})
	listening := make(chan struct{})
	socket := func(ctx context.Context) error {
		path := filepath.Join(s.cfg.DataDir, privacy.SocketName)
		return privacy.ServeWith(ctx, path, keeper, s.log, s.adminRoutes(), func() { close(listening) })
	}
	afterSocket := func(ctx context.Context) error { // who is told that the server is ready may ask it there
		select {
		case <-listening:
			return next(ctx)
		case <-ctx.Done():
			return nil
		}
	}
	return together(ctx, afterSocket, queue.Run, s.desk.Run, keeper.Run, socket, s.runFleet)
}

// endErased ends a conversation of which nothing is to be kept, if it still goes on.
func (s *Server) endErased(_ context.Context, cid string) {
	s.desk.Forget(cid)
	s.rooms.end(cid)
}

// adminRoutes is what staff's command line asks.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range staff.NewAdmin(s.records).Routes() {
		mux.Handle(pattern, s.answering(h))
	}
	for pattern, h := range s.deviceAdmin().Routes(GlassesName) {
		mux.Handle(pattern, s.answering(h))
	}
	for pattern, h := range fleet.NewAdmin(s.records, s.now).Routes() {
		mux.Handle(pattern, s.answering(h))
	}
	return mux
}

// staffDesk tells staff which conversations go on.
type staffDesk struct{ *Server }

// Live returns them, without what they are called by.
func (s staffDesk) Live() []staff.Conversation {
	var list []staff.Conversation
	for _, c := range s.desk.Live() {
		if c.Phase == desk.Booked {
			continue // it is an appointment and no conversation yet
		}
		talk := staff.Conversation{
			ID: c.ID, Showroom: c.Showroom, Glasses: c.Glasses, Kind: string(c.Kind), State: string(c.Phase),
			Since: c.Created, Network: string(c.Presence.Network), Name: c.Name,
		}
		if !c.Started.IsZero() {
			talk.Since = c.Started
		}
		_, talk.Viewers = s.relay.Status(c.ID)
		list = append(list, talk)
	}
	return list
}

func (s *Server) deskConfig(queue *mail.Queue, base string) desk.Config {
	letters := post.New(post.Config{
		Queue: queue, Plan: s.plan, Base: base, Key: s.keys.Key, Keep: cmp.Or(s.cfg.Retention, media.MaxRetention), Clock: s.now, Log: s.log,
	})
	return desk.Config{
		Records: s.records, Hours: s.plan, Post: letters, Media: stored{s.media}, Clock: s.now, Log: s.log,
		EndRoom: s.rooms.end, Seal: s.keys.Seal, ConsentText: post.ConsentVersion,
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
