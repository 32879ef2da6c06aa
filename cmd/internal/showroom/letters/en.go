package letters

func english() *words {
	return &words{
		Lang: "en", Dear: "Dear {name},", Hello: "Hello,",
		Date: "Date", Time: "Time", Code: "Your personal code", Kept: "Kept until", GivenAt: "Given on", Version: "Version of the text",
		Join: "Join the conversation", Manage: "Change or cancel the appointment", Again: "Book a new appointment",
		View: "View your {what}", Confirm: "Yes, send me news", Privacy: "How we handle your data",
		IfBroken: "If the button does not work, open this address:",
		SameCode: "The code in our earlier e-mail is still valid: use it to join the conversation.",
		Event:    "Conversation with {title}",
		Booked: text{
			Subject: "Your appointment with {title}: {start}",
			Heading: "Your appointment is booked",
			Intro: []string{
				"Thank you for booking. At the agreed time an advisor from {title} will be in the showroom for you, live, to show you what you would like to see and to answer your questions. All you need is a browser on your phone or computer.",
			},
			After: []string{
				"You can join from 10 minutes before the start. The code is for you alone; please do not pass it on.",
				"Your microphone is off until you turn it on yourself, and your voice is never recorded.",
			},
			Footer: "You are receiving this e-mail because an appointment with {title} was made with this address. Was that not you? Then you can cancel it with the link above.",
		},
		Changed: text{
			Subject: "Your appointment with {title} has moved: {start}",
			Heading: "Your appointment has moved",
			Intro:   []string{"Your appointment with {title}, which was planned for {was}, has moved. This is the new time:"},
			After:   []string{"You can join from 10 minutes before the start. The code is for you alone; please do not pass it on."},
			Footer:  "You are receiving this e-mail because an appointment with {title} was made with this address.",
		},
		Reminder: text{
			Subject: "Reminder: your appointment with {title}, {start}",
			Heading: "See you soon",
			Intro:   []string{"This is a reminder of your conversation with {title}. Below is everything you need to join."},
			After: []string{
				"You can join from 10 minutes before the start, with a browser on your phone or computer.",
				"Your microphone is off until you turn it on yourself, and your voice is never recorded.",
			},
			Footer: "You are receiving this e-mail because an appointment with {title} was made with this address.",
		},
		Cancelled: text{
			Subject: "Cancelled: your appointment with {title}, {start}",
			Heading: "Your appointment is cancelled",
			Intro:   []string{"This appointment with {title} will not take place. The code no longer works."},
			After:   []string{"Is the appointment still in your calendar? Then open the attachment to remove it."},
			Footer:  "You are receiving this e-mail because an appointment with {title} had been made with this address.",
		},
		Media: text{
			Subject: "Your {what} from {title}",
			Heading: "Your {what}",
			Intro:   []string{"You asked us for the {what} from your conversation with {title}. Here they are: {items}."},
			After: []string{
				"Anyone who has this link can view them, so please share it only with people you trust.",
				"After the date above we delete everything. Our privacy page explains how to have it deleted sooner.",
			},
			Footer: "You are receiving this e-mail because someone in a conversation with {title} asked us to send the {what} to this address.",
		},
		Consent: text{
			Subject: "Please confirm: news from {title}",
			Heading: "One more step",
			Intro:   []string{"With this address somebody agreed that {title} may send you news by e-mail. Was that you? Then please confirm it. This is the text that was agreed to:"},
			After:   []string{"Without your confirmation we send you no news. You can withdraw your consent at any time, with one click and without logging in. It makes no difference to your appointments and conversations."},
			Footer:  "You are receiving this e-mail, once, because consent was given with this address. Was that not you? Then you need not do anything.",
		},
		Days:     [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		Months:   [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		DateForm: "{day} {d} {month} {year}", SpanForm: "{from} to {to} ({zone})", MomentForm: "{date}, {from}",
		Zones: map[string]string{"CET": "Central European Time", "CEST": "Central European Summer Time"},
		And:   "and", Photo: "photo", Photos: "photos", Clip: "video", Clips: "videos",
	}
}
