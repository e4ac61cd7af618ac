// Package cli is the command line of runner: one file a command, which turns flags into options, calls the packages
// below, and shows the answer. One place (exit.go) turns an error into an exit code and a hint.
package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"runner/cmd/runner/internal/report"
)

// Environment is what the commands have from outside.
type Environment struct {
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Version        string
}

// app is one invocation.
type app struct {
	Environment
	global globals
	screen io.Writer // Stderr as it is, for what is painted on a terminal

	view  report.View // of the run; nil before it starts
	begun bool        // the first JSON line is written
}

// globals are the flags that every command has.
type globals struct {
	json      bool
	logLevel  string
	logFormat string
	noColor   bool
	stateDir  string
	vars      []string
	varFiles  []string
}

// Run executes the command that the arguments name, says what went wrong, and returns the exit code.
func Run(ctx context.Context, args []string, env Environment) int {
	json := slices.Contains(args, "--json")
	a := &app{Environment: env, screen: env.Stderr}
	a.Stdout, a.Stderr = report.NewVisible(env.Stdout, false, json), report.NewVisible(env.Stderr, false, false)
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	// Flags may not have been read when the error is one of usage; JSON is for programs and must not be missed then.
	if !a.global.json {
		for _, arg := range args {
			a.global.json = a.global.json || arg == "--json"
		}
	}
	return a.conclude(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "runner",
		Short: "Physical backups of MySQL that are proven to restore",
		Long: `runner takes physical backups of MySQL 8.0.17 and later with the server's own CLONE,
exactly as a plan file declares them, and proves that they restore.

  runner validate plan.hcl     is the plan sound?
  runner plan plan.hcl         would it work, what would it do, what would be lost?
  runner apply plan.hcl        do it
  runner verify BACKUP         is every byte of it still right?
  runner restore BACKUP --to DIR`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			// The lines of version begin with its own.
			a.begun = c.Name() == "version"
			if a.global.json {
				if err := a.begin(); err != nil {
					return err
				}
			}
			return a.global.validate()
		},
	}
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{command: c.CommandPath(), err: err} })
	flags := root.PersistentFlags()
	flags.BoolVar(&a.global.json, "json", false, "print JSON lines on stdout")
	flags.StringVar(&a.global.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&a.global.logFormat, "log-format", "auto", "auto, text or json")
	flags.BoolVar(&a.global.noColor, "no-color", false, "no colours, as with NO_COLOR set")
	flags.StringVar(&a.global.stateDir, "state-dir", "", "where runs are recorded (also RUNNER_STATE_DIR)")
	flags.StringArrayVar(&a.global.vars, "var", nil, "value of a variable, `name=value`; may be given again")
	flags.StringArrayVar(&a.global.varFiles, "var-file", nil, "`FILE` with values of variables; may be given again")
	root.AddCommand(a.validateCommand(), a.planCommand(), a.applyCommand(), a.resumeCommand(), a.discardCommand(),
		a.runsCommand(), a.listCommand(), a.showCommand(), a.verifyCommand(), a.restoreCommand(), a.graphCommand(),
		a.schemaCommand(), a.versionCommand(), a.completionCommand())
	return root
}

func (g globals) validate() error {
	if _, err := g.level(); err != nil {
		return &usageError{command: "runner", err: err}
	}
	switch g.logFormat {
	case "auto", "text", "json":
	default:
		return usagef("runner", "--log-format is %q and must be auto, text or json", g.logFormat)
	}
	for _, v := range g.vars {
		if name, _, found := strings.Cut(v, "="); !found || name == "" {
			return usagef("runner", "--var %q is not of the form name=value", v)
		}
	}
	return nil
}

func (g globals) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return 0, errors.New("--log-level is \"" + g.logLevel + "\" and must be debug, info, warn or error")
	}
	return level, nil
}

// reporting is how the flags ask for things to be shown.
func (a *app) reporting(planning bool) report.Options {
	level, _ := a.global.level() // validated before any command runs
	width, terminal := terminalWidth(a.screen)
	return report.Options{
		Stdout: a.Stdout, Stderr: a.painted(terminal),
		JSON: a.global.json, LogFormat: a.global.logFormat, LogLevel: level,
		Terminal: terminal, Width: width, Color: a.color(), Plan: planning, Version: a.Version, Flags: a.flags(),
	}
}

// painted is where a view writes to, with its colours on a terminal.
func (a *app) painted(terminal bool) io.Writer {
	if !terminal {
		return a.Stderr
	}
	return report.NewVisible(a.screen, true, false)
}

func (a *app) color() bool {
	_, terminal := terminalWidth(a.screen)
	return terminal && !a.global.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

func terminalWidth(w io.Writer) (width int, terminal bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 80, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return width, true
}

// stateDir is where runs are recorded.
func (a *app) stateDir() (string, error) {
	for _, dir := range []string{a.global.stateDir, a.Getenv("RUNNER_STATE_DIR")} {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	if dir := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "runner"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/runner", nil
	}
	home := a.Getenv("HOME")
	if home == "" {
		return "", withHint(errors.New("there is no folder to record the run in: HOME is not set"), "give one: --state-dir DIR")
	}
	return filepath.Join(home, ".local", "state", "runner"), nil
}

func now() time.Time { return time.Now().UTC() }
