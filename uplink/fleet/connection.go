package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/open-telemetry/opamp-go/protobufs"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

const (
	connectTime = 15 * time.Second
	sendTime    = 10 * time.Second
	// silent is how many heartbeats may stay unanswered.
	silent = 3
	// maxMessage is of one from the service, in bytes.
	maxMessage = fleet.MaxEnvelope + 32<<10
	// tellEvery bounds how often reports are told, and fullEvery how often everything is
	// told once more.
	tellEvery = 250 * time.Millisecond
	fullEvery = 5 * time.Second
	// A service says little that is not an answer. What is more than this stays in the
	// network until it is its turn, and the sender has to wait.
	hearBurst = 50
	hearEvery = 100 * time.Millisecond
)

// errSilent is why a line that says nothing any more is given up.
var errSilent = errors.New("the fleet's service has not answered for three heartbeats")

// connection is one WebSocket.
type connection struct {
	*Link
	ws        *websocket.Conn
	sequence  uint64
	effective [sha256.Size]byte // of what was told
	report    []byte            // that was told
	full      bool              // everything is to be told
	fullAt    time.Time         // when it was
}

// connect keeps one line until it is lost, and says whether it stood.
func (l *Link) connect(ctx context.Context) (stood bool, err error) {
	ws, err := l.dial(ctx)
	if err != nil {
		return false, err
	}
	// A WebSocket ends with the context of a read, and here a goodbye comes after ctx.
	line, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer ws.CloseNow() //nolint:errcheck // it is lost, or has said goodbye
	ws.SetReadLimit(maxMessage)
	c := &connection{Link: l, ws: ws, full: true}
	received := make(chan *protobufs.ServerToAgent)
	failed := make(chan error, 1)
	go func() { failed <- c.receive(line, received) }()
	stood, err = c.exchange(ctx, received, failed)
	if ctx.Err() != nil {
		c.goodbye()
	}
	cancel()
	ws.CloseNow() //nolint:errcheck // as above
	<-failed
	return stood, err
}

func (l *Link) dial(ctx context.Context) (ws *websocket.Conn, err error) {
	q := origin.Request{Op: "open the fleet's line to", Method: http.MethodGet, URL: l.line}
	err = l.cfg.Client.Upgrade(ctx, connectTime, q, func(ctx context.Context, by *http.Client, header http.Header) (res *http.Response, err error) {
		ws, res, err = websocket.Dial(ctx, l.line.String(), &websocket.DialOptions{HTTPClient: by, HTTPHeader: header})
		return res, err
	})
	return ws, err
}

// receive hands on what comes, until the line is lost. The last value of its error is
// put where nobody has to wait for it.
func (c *connection) receive(ctx context.Context, to chan<- *protobufs.ServerToAgent) error {
	pace := rate.NewLimiter(rate.Every(hearEvery), hearBurst)
	for {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeoutCause(ctx, silent*c.cfg.Heartbeat+min(sendTime, c.cfg.Heartbeat), errSilent)
		kind, data, err := c.ws.Read(bounded)
		silence := context.Cause(bounded)
		cancel()
		switch {
		case err != nil && errors.Is(silence, errSilent):
			return errSilent
		case err != nil:
			return fmt.Errorf("the fleet's line is lost: %w", err)
		case kind != websocket.MessageBinary:
			return errors.New("the fleet's service sends text, which OpAMP has none of")
		}
		message, err := decode(data)
		if err != nil {
			return err
		}
		select {
		case to <- message:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// exchange tells and hears, until the line is lost.
func (c *connection) exchange(ctx context.Context, received <-chan *protobufs.ServerToAgent, failed chan error) (stood bool, err error) {
	if err := c.send(ctx); err != nil {
		return false, err
	}
	beat := time.NewTimer(c.nextBeat())
	defer beat.Stop()
	for {
		select {
		case m := <-received:
			if err := c.hear(m); err != nil {
				return stood, err
			}
			if !stood {
				stood = true
				c.stands()
				c.answered()
			}
			continue
		case err := <-failed:
			failed <- err
			return stood, err
		case <-c.tell:
			if !pause(ctx, tellEvery) { // what comes together is told together
				return stood, ctx.Err()
			}
		case <-beat.C:
		case <-ctx.Done():
			return stood, ctx.Err()
		}
		beat.Reset(c.nextBeat())
		if err := c.send(ctx); err != nil {
			return stood, err
		}
	}
}

func (c *connection) nextBeat() time.Duration {
	h := c.cfg.Heartbeat
	return h - rand.N(h/5+1)
}

// send tells how it is: all of it on a new line, and of the configuration later only
// what has changed.
func (c *connection) send(ctx context.Context) error {
	m := c.message()
	data, err := encode(m)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := c.ws.Write(bounded, websocket.MessageBinary, data); err != nil {
		return fmt.Errorf("tell the fleet's service: %w", err)
	}
	c.sequence++
	if c.full {
		c.full, c.fullAt = false, time.Now()
	}
	return nil
}

// goodbye tells that the board goes, so that nobody takes it for lost.
func (c *connection) goodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	data, err := encode(&protobufs.AgentToServer{InstanceUid: c.id, SequenceNum: c.sequence, AgentDisconnect: &protobufs.AgentDisconnect{}})
	if err == nil {
		_ = c.ws.Write(ctx, websocket.MessageBinary, data) // who does not hear it will notice
	}
}

// The header of a message is one zero byte: OpAMP, section WebSocket Message Format.
const header = 0

func encode(m *protobufs.AgentToServer) ([]byte, error) {
	data, err := proto.MarshalOptions{}.MarshalAppend([]byte{header}, m)
	if err != nil {
		return nil, fmt.Errorf("write an OpAMP message: %w", err)
	}
	return data, nil
}

func decode(data []byte) (*protobufs.ServerToAgent, error) {
	m := &protobufs.ServerToAgent{}
	if len(data) == 0 || data[0] != header || (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data[1:], m) != nil {
		return nil, errors.New("the fleet's service sends what is no OpAMP message")
	}
	return m, nil
}
