package control

import (
	"context"
	"net/http"
)

// Call is the call that rings or the conversation with a customer, and what is known
// of them. What they are called is not part of it.
type Call struct {
	State        string   `json:"state"`        // idle, ringing, accepted or talking
	Conversation string   `json:"conversation"` // its id; "" while idle
	Kind         string   `json:"kind"`         // now or booked; "" while that is not known
	Events       string   `json:"events"`       // how it is with what the endpoint tells: connected, connecting or waiting, or absent
	Customer     Customer `json:"customer"`
}

// Customer is how it is at the other end.
type Customer struct {
	Presence   string `json:"presence"`   // joined or left; "" while it is not known
	Network    string `json:"network"`    // good, poor or frozen; likewise
	Microphone bool   `json:"microphone"` // it is on
}

// CallAction is what `bril call` asks for.
type CallAction string

// The actions on calls.
const (
	AcceptCall  CallAction = "accept"
	DeclineCall CallAction = "decline"
	EndCall     CallAction = "end"
)

// ParseCallAction reads an action as it is typed.
func ParseCallAction(s string) (CallAction, error) {
	switch a := CallAction(s); a {
	case AcceptCall, DeclineCall, EndCall:
		return a, nil
	}
	return "", &Problem{Message: "call takes accept, decline or end, not " + quote(s), Code: codeUsage}
}

// callRequest and callResponse are the bodies of POST /v1/call.
type callRequest struct {
	Action string `json:"action"`
}

type callResponse struct {
	State string `json:"state"`
}

func (h *handler) call(w http.ResponseWriter, r *http.Request) {
	var request callRequest
	err := read(w, r, `{"action":"accept|decline|end"}`, &request)
	action := CallAction("")
	if err == nil {
		action, err = ParseCallAction(request.Action)
	}
	h.act(w, r, actionTime, err, func(ctx context.Context) (any, error) {
		state, err := h.Daemon.Call(ctx, action)
		return callResponse{State: state}, err
	})
}

// Call asks for an action on a call and returns how it is with the call after it.
func (c *Client) Call(ctx context.Context, action CallAction) (state string, err error) {
	r, err := post[callResponse](ctx, c, c.http, "/v1/call", callRequest{Action: string(action)})
	if err != nil {
		return "", c.explain("call "+string(action), err)
	}
	return r.State, nil
}
