package network

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrNoTimesync says that systemd-timesyncd does not take a time server: it does not
// run, or this user may not.
var ErrNoTimesync = errors.New("systemd-timesyncd does not take it")

const (
	timesyncName = "org.freedesktop.timesync1"
	timesyncPath = "/org/freedesktop/timesync1"
)

// UseTimeServer has systemd-timesyncd ask that server first, until it is restarted;
// address is that of the bus, "" for the system's. NetworkManager could not do it: its
// profiles have no time servers, only those of DHCP reach timesyncd.
func UseTimeServer(ctx context.Context, address, server string) error {
	bus, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("use time server %s: %w: %w", server, ErrNoTimesync, err)
	}
	defer bus.Close()
	call := bus.Object(timesyncName, timesyncPath).CallWithContext(ctx, timesyncName+".Manager.SetRuntimeNTPServers", 0, []string{server})
	if call.Err != nil {
		return fmt.Errorf("use time server %s: %w: %w", server, ErrNoTimesync, call.Err)
	}
	return nil
}

const (
	sntpSize  = 48
	sntpTries = 3
	sntpWait  = 2 * time.Second
)

// AskTime asks a time server (SNTP, RFC 4330) for the time, once, and sets nothing.
// Nobody vouches for the answer: it may be good for a first look at a certificate, not
// for what must not happen too early.
func AskTime(ctx context.Context, server string) (time.Time, error) {
	address := server
	if _, _, err := net.SplitHostPort(server); err != nil {
		address = net.JoinHostPort(server, "123")
	}
	var err error
	for range sntpTries {
		var now time.Time
		if now, err = askOnce(ctx, address); err == nil {
			return now, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return time.Time{}, fmt.Errorf("ask time server %s: %w", server, err)
}

func askOnce(ctx context.Context, address string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, sntpWait)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", address)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	question := make([]byte, sntpSize)
	question[0] = 4<<3 | 3   // version 4, client
	rand.Read(question[40:]) // the answer repeats it; our own clock is nobody's business
	if _, err := conn.Write(question); err != nil {
		return time.Time{}, err
	}
	answer := make([]byte, 2*sntpSize)
	n, err := conn.Read(answer)
	if err != nil {
		return time.Time{}, err
	}
	return readTime(question, answer[:n])
}

// readTime checks an answer as RFC 4330, section 5, has it.
func readTime(question, answer []byte) (time.Time, error) {
	switch {
	case len(answer) < sntpSize, answer[0]&7 != 4, string(answer[24:32]) != string(question[40:]):
		return time.Time{}, errors.New("its answer is not one to the question")
	case answer[0]>>6 == 3, answer[1] < 1, answer[1] > 15:
		return time.Time{}, errors.New("it does not know the time itself")
	}
	seconds, fraction := binary.BigEndian.Uint32(answer[40:]), binary.BigEndian.Uint32(answer[44:])
	if seconds == 0 && fraction == 0 {
		return time.Time{}, errors.New("its answer has no time")
	}
	const epoch = 2208988800 // 1970, in seconds from 1900
	since := int64(seconds) - epoch
	if seconds < 1<<31 { // from 2036 (section 3)
		since += 1 << 32
	}
	return time.Unix(since, int64(fraction)*1e9>>32), nil
}
