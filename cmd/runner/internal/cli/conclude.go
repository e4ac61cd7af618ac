package cli

import (
	"errors"
	"fmt"
	"strings"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
)

// begin writes the first JSON line, once.
func (a *app) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	return report.JSONVersion(a.Stdout, a.Version)
}

// conclude says what went wrong and returns the exit code. With JSON the last line is the summary, always.
func (a *app) conclude(err error) int {
	if a.view != nil {
		err = errors.Join(err, a.view.Close())
	}
	err = asUsage(err)
	code := exitCode(err)
	if a.global.json {
		summary := report.SummaryLine{ExitCode: code, Hint: hintOf(err)}
		if err != nil {
			summary.Error = err.Error()
		}
		if writeErr := errors.Join(a.begin(), report.JSONSummary(a.Stdout, summary)); writeErr != nil {
			_, _ = fmt.Fprintf(a.Stderr, "runner: error: %v\n", writeErr)
			return max(code, ExitFailed)
		}
		return code
	}
	if a.view != nil {
		err = unshown(err)
	}
	if err == nil {
		return code
	}
	_, _ = fmt.Fprintf(a.Stderr, "runner: error: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if hint := hintOf(err); hint != "" {
		_, _ = fmt.Fprintf(a.Stderr, "runner: hint: %s\n", strings.ReplaceAll(hint, "\n", "\nrunner: hint: "))
	}
	return code
}

// unshown is what is left of an error without the failures of steps, which the view has shown.
func unshown(err error) error {
	if _, shown := err.(*engine.RunError); shown { //nolint:errorlint // what wraps one says more than it does
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // as above
	if !ok {
		return err
	}
	var rest []error
	for _, e := range joined.Unwrap() {
		rest = append(rest, unshown(e))
	}
	return errors.Join(rest...)
}

// asUsage makes errors of usage out of those that the command line's library found itself.
func asUsage(err error) error {
	if err != nil && strings.HasPrefix(err.Error(), "unknown command ") {
		said := strings.Join(strings.Fields(err.Error()), " ") // its suggestions are on lines of their own
		return &usageError{command: "runner", err: errors.New(strings.Replace(said, ` for "runner" Did`, ". Did", 1))}
	}
	return err
}

// flags are those that the commands which are proposed must repeat to mean the same runs.
func (a *app) flags() string {
	if a.global.stateDir == "" {
		return ""
	}
	return " --state-dir " + shellWord(a.global.stateDir)
}

// shellWord is the text as one word of a shell's command line.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@:,=%", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
