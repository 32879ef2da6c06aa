package showroom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

const (
	heartbeatInterval = 15 * time.Second
	heartbeat         = ": still here\n\n"
)

// eventStream sends server-sent events. A client that does not read them is cut off.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	instance string
}

func (s *Server) openStream(w http.ResponseWriter) (eventStream, error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := eventStream{w: w, control: http.NewResponseController(w), instance: s.instance}
	// The server's read timeout is for requests, and this one has been read.
	if err := stream.control.SetReadDeadline(time.Time{}); err != nil {
		return stream, fmt.Errorf("stream events: %w", err)
	}
	return stream, nil
}

// whileServing returns a context that ends with the server, too.
func (s *Server) whileServing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.serving, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// run ends when the client or the server goes, or the client stops reading.
func (e eventStream) run(ctx context.Context, n news) {
	beat := time.NewTicker(heartbeatInterval)
	defer beat.Stop()
	for {
		var text string
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			text = heartbeat
		case state := <-n.states:
			text = e.state(state)
		case event := <-n.stored:
			text = eventText("media", event)
		case call := <-n.calls:
			text = eventText("call", call)
		}
		if e.send(text) != nil {
			return
		}
	}
}

func (e eventStream) state(s relay.State) string {
	return fmt.Sprintf("data: {\"state\":%q,\"publication\":%d,\"server\":%q}\n\n", s.Phase, s.Publication, e.instance)
}

// eventText is one event. Data is one of our own structs, which JSON can always say
// in one line.
func eventText(kind string, data any) string {
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("showroom: event %s: %v", kind, err))
	}
	return "event: " + kind + "\ndata: " + string(text) + "\n\n"
}

func (e eventStream) send(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}
