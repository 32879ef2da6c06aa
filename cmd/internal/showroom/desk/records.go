package desk

import (
	"context"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Records is what is stored, as *records.DB does.
type Records interface {
	appointments
	conversations
	wishes
	Customer(ctx context.Context, id string) (records.Customer, error)
	SetCustomer(ctx context.Context, conversation string, c records.Customer) (records.Customer, error)
	GiveConsent(ctx context.Context, customer, purpose, textVersion, locale string) (token string, err error)
}

type appointments interface {
	Book(ctx context.Context, c records.Customer, a records.Appointment, code, manageToken string) (records.Appointment, error)
	Appointment(ctx context.Context, id string) (records.Appointment, error)
	AppointmentByCode(ctx context.Context, code string) (records.Appointment, error)
	AppointmentByToken(ctx context.Context, manageToken string) (records.Appointment, error)
	Appointments(ctx context.Context, showroom string, from, to time.Time) ([]records.Appointment, error)
	BookedUntil(ctx context.Context, email string, after time.Time) ([]time.Time, error)
	Move(ctx context.Context, id string, start, end time.Time, glasses string) (records.Appointment, error)
	SetAppointmentState(ctx context.Context, id string, state records.AppointmentState) error
	SetAppointmentConversation(ctx context.Context, id, conversation string) (string, error)
}

type conversations interface {
	SaveConversation(ctx context.Context, c records.Conversation) error
	Conversation(ctx context.Context, id string) (records.Conversation, error)
	OpenConversations(ctx context.Context) ([]records.Conversation, error)
	Rate(ctx context.Context, conversation string, up bool) error
	CountUsage(ctx context.Context, showroom string, u records.Usage) error
}

type wishes interface {
	SetWish(ctx context.Context, w records.Wish) error
	DropWish(ctx context.Context, id string) error
	Wishes(ctx context.Context) ([]records.Wish, error)
	AddDelivery(ctx context.Context, v records.Delivery) error
	Sent(ctx context.Context, conversation string) (bool, error)
}

var _ Records = (*records.DB)(nil)
