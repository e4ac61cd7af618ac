// Package report shows a run: to a person on a terminal, to a log, or to a
// program as JSON lines. All views are made of the same events; which one it
// is, is chosen once ([New]). Nothing else of the program paints or prints
// while a view is open: its [View.Logger] writes above the bars.
//
// What is printed where, and the fields of each JSON line, is specified in
// cmd/runner/OUTPUT.md.
//
// Events have no place for a secret, and their texts come from places that
// don't know one; text from outside (names of tables, messages of a server)
// can't move the cursor of a terminal, since control characters are taken out.
package report

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"runner/cmd/runner/internal/engine"
)

// defaultInterval is the time between two status lines off a terminal.
const defaultInterval = 30 * time.Second

// defaultWidth is used where the width of the terminal is not known.
const defaultWidth = 80

// Options say how a run is shown.
type Options struct {
	Stdout, Stderr io.Writer
	JSON           bool          // JSON lines on Stdout
	LogFormat      string        // auto (tint on a terminal, else text), text or json
	LogLevel       slog.Level    // of the log on Stderr
	Color          bool          // colours on Stderr; set it only where they are wanted (NO_COLOR, --no-color)
	Terminal       bool          // Stderr is a terminal: bars are painted there
	Interval       time.Duration // of the status line off a terminal; 0 = 30 s
	Width          int           // of the terminal, in columns; 0 = 80
	Plan           bool          // the view of `plan`: what would happen, on Stdout, at the end
	Version        string        // of runner
	Flags          string        // that the commands which are proposed must repeat: " --state-dir DIR"
}

// View shows the events of one run.
type View interface {
	engine.Observer
	// Logger writes log lines without disturbing what is painted.
	Logger() *slog.Logger
	// Close shows what is still held back, stops the painter and awaits its
	// goroutine. The error is the first one that writing met. Closing once more
	// is no error.
	Close() error
}

// New makes the view that the options ask for.
func New(o Options) View {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	switch {
	case o.JSON:
		return newJSONView(o)
	case o.Plan:
		return newPlanView(o)
	case o.Terminal:
		return newTerminalView(o)
	default:
		return newLogView(o)
	}
}

// NewLogger makes a logger that writes to o.Stderr: for where there is no View.
func NewLogger(o Options) *slog.Logger { return slog.New(handler(o, o.Stderr)) }

func handler(o Options, w io.Writer) slog.Handler {
	switch {
	case o.LogFormat == "json":
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: o.LogLevel})
	case o.LogFormat != "text" && o.Terminal:
		return tint.NewTextHandler(w, &tint.Options{Level: o.LogLevel, TimeFormat: time.TimeOnly, NoColor: !o.Color})
	default:
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: o.LogLevel})
	}
}

// writer keeps the first error of a Writer, since events can't return one, and
// writes nothing after it.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(b)
	w.err = err
	return n, err
}

// printf writes text; a failure is kept in err.
func (w *writer) printf(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
