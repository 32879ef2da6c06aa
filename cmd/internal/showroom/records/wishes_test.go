package records

import (
	"errors"
	"slices"
	"testing"
)

func TestWishes(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	check(t, d.SaveConversation(t.Context(), Conversation{ID: "talk", Showroom: "utrecht", State: "live", Kind: "now", Created: c.now}))
	customer, err := d.SetCustomer(t.Context(), "talk", anna())
	check(t, err)
	w := Wish{ID: "wish", Conversation: "talk", Customer: customer.ID, Items: []string{"a", "b"}, Asked: c.now}
	check(t, d.SetWish(t.Context(), w))
	w.Mailed, w.Mails = []string{"a"}, 1
	check(t, d.SetWish(t.Context(), w))
	wantSent := func(conversation string, want bool) {
		t.Helper()
		if sent, err := d.Sent(t.Context(), conversation); err != nil || sent != want {
			t.Errorf("%s sent: %v, %v", conversation, sent, err)
		}
	}
	wantSent("talk", true)
	got, err := d.Wishes(t.Context())
	check(t, err)
	if len(got) != 1 || !slices.Equal(got[0].Items, w.Items) || !slices.Equal(got[0].Mailed, w.Mailed) || got[0].Mails != 1 || !got[0].Asked.Equal(w.Asked) {
		t.Errorf("got %+v", got)
	}
	check(t, d.DropWish(t.Context(), "wish"))
	if got, err = d.Wishes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	wantSent("talk", false)
	check(t, d.AddDelivery(t.Context(), Delivery{Conversation: "talk", Customer: customer.ID, Items: w.Items}))
	wantSent("talk", true)
	wantSent("another", false)
	w.Customer = "nobody"
	if err := d.SetWish(t.Context(), w); !errors.Is(err, ErrErased) {
		t.Errorf("the customer is gone: %v", err)
	}
}
