package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/bril-edge/bril/cmd/internal/showroom"
)

// shopMain is the program `shop ADDRESS`: the reference endpoint, until SIGTERM.
func shopMain() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "shop")
	if err == nil {
		defer os.RemoveAll(dir)
		var server *showroom.Server
		server, err = showroom.New(showroom.Config{Listen: os.Args[1], DataDir: dir, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = server.Run(ctx, func(url string) { fmt.Println("serves", url) })
		}
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// callerMain is the program `caller BASE [hangs-up]`: a customer who talks now, says
// what becomes of the call, and ends it once it is live if told to.
func callerMain() {
	jar, err := cookiejar.New(nil)
	exit(err)
	c := caller{base: os.Args[1], http: http.Client{Jar: jar}}
	exit(c.talk(len(os.Args) > 2))
}

type caller struct {
	base string
	http http.Client
	cid  string
}

// ask sends a request and decodes its answer into out, which may be nil.
func (c *caller) ask(method, path, body string, out any) error {
	r, err := c.open(method, path, body)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(r.Body).Decode(out)
}

func (c *caller) open(method, path, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	r, err := c.http.Do(request)
	if err == nil && r.StatusCode > 299 {
		r.Body.Close()
		err = fmt.Errorf("%s %s: %s", method, path, r.Status)
	}
	return r, err
}

func (c *caller) talk(hangsUp bool) error {
	var shops struct{ Showrooms []struct{ ID string } }
	if err := c.ask("GET", "/api/showrooms", "", &shops); err != nil {
		return err
	}
	var made struct{ Conversation string }
	if err := c.ask("POST", "/api/calls", `{"showroom":"`+shops.Showrooms[0].ID+`","locale":"nl"}`, &made); err != nil {
		return err
	}
	c.cid = made.Conversation
	fmt.Println("calls", c.cid)
	page, err := c.open("GET", "/api/sessions/"+c.cid+"/events", "")
	if err != nil {
		return err
	}
	defer page.Body.Close()
	event := ""
	for lines := bufio.NewScanner(page.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			event = value
		case name == "" || event != "call":
		case name == "data":
			event = ""
			if over, err := c.hears(value, hangsUp); over || err != nil {
				return err
			}
		}
	}
	return errors.New("the page's events have ended")
}

// hears takes what the page is told, and says whether that was the last.
func (c *caller) hears(data string, hangsUp bool) (over bool, err error) {
	var now struct{ State, Reason string }
	if err := json.Unmarshal([]byte(data), &now); err != nil {
		return false, err
	}
	fmt.Println(strings.TrimSpace(now.State + " " + now.Reason))
	if now.State == "live" && hangsUp {
		err = c.ask("POST", "/api/conversations/"+c.cid+"/end", "", nil)
	}
	return now.State == "ended", err
}
