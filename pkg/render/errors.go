package render

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Kind tells errors apart. The set is fixed, so it serves as a metric's label.
type Kind string

// The kinds of error.
const (
	KindNotFound   Kind = "not-found"   // no such chart or version
	KindRefused    Kind = "refused"     // a location, link or path that is not allowed
	KindFetch      Kind = "fetch"       // the repository does not deliver
	KindTooLarge   Kind = "too-large"   // one of the size bounds
	KindInvalid    Kind = "invalid"     // not a chart, or values that its schema forbids
	KindTemplate   Kind = "template"    // a template fails
	KindOutput     Kind = "output"      // the templates give no valid manifests
	KindTimeout    Kind = "timeout"     // the deadline
	KindMemory     Kind = "memory"      // the memory bound
	KindCrash      Kind = "crash"       // the child process died otherwise
	KindBusy       Kind = "busy"        // too many renders wait already
	KindInProgress Kind = "in-progress" // the caller stopped waiting, the render goes on
	KindInternal   Kind = "internal"    // the operator's own fault
)

// Error is a failed render.
type Error struct {
	Kind Kind
	// Message is fit for a status: stable, and free of addresses, ids, times
	// and temporary paths.
	Message string
	// Err is the cause, for logs. It may hold anything.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// failure makes an Error whose message went through clean.
func failure(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: clean(fmt.Sprintf(format, args...))}
}

// because adds the cause that only logs may see.
func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// KindOf gives an error's kind: empty for nil, KindInternal for an error that is
// not of this package.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// Reason gives the words for a status message: "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "the chart cannot be rendered"
}

// InProgress tells whether the render goes on although this call has returned.
// Ask again later; the answer will come from the cache.
func InProgress(err error) bool {
	return KindOf(err) == KindInProgress
}

const maxMessage = 300

// pointers are what a template prints for a value that is not plain data; they
// differ from run to run.
var pointers = regexp.MustCompile(`0x[0-9a-fA-F]{4,}`)

// clean makes one printable line of bounded length out of text that a chart may
// have written.
func clean(text string) string {
	if len(text) > 8*maxMessage {
		text = text[:8*maxMessage]
	}
	text = pointers.ReplaceAllString(text, "0x…")
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage-1]) + "…"
	}
	return text
}
