package showroom

import (
	"net/http"
	"strings"
	"time"
)

// testPrefix begins the names under which a technician's glasses try whether they could
// publish: bril-test, or one of its own that no other test has, bril-test-SOMETHING.
// They belong to nobody, are shown nowhere and kept nowhere.
const testPrefix = "bril-test"

// testTime is how long a test lasts at most.
const testTime = 30 * time.Second

func isTest(name string) bool {
	return name == testPrefix || strings.HasPrefix(name, testPrefix+"-")
}

// testable is named, for what tests may use, too.
func testable(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if isTest(r.PathValue("name")) && validName(r.PathValue("name")) {
			return next(w, r)
		}
		return named(next)(w, r)
	}
}

// publishTest takes a publication that nobody will see. Who may publish at all may
// test, whatever their own name is.
func (s *Server) publishTest(w http.ResponseWriter, r *http.Request, owner string) error {
	offer, err := body(r, sdpType)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	session, err := s.relay.Publish(r.Context(), name, owner, offer)
	if err != nil {
		return err
	}
	if err := s.stillEnrolled(r, owner); err != nil {
		return err
	}
	session.EndAfter(testTime)
	return created(w, "/whip/"+name, session)
}
