package calls

import (
	"fmt"
	"log/slog"
)

// String tells of a call without the name of who calls, which is nobody's business
// but the advisor's: no log, error or crash may hold it.
func (c Call) String() string {
	return fmt.Sprintf("call %s (%s)", c.Conversation, c.Kind)
}

// Format hides the name, whatever the verb.
func (c Call) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue hides the name.
func (c Call) LogValue() slog.Value { return slog.StringValue(c.String()) }
