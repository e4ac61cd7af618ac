package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

func TestAHangupThatIsIgnoredAtTheStartStaysIgnored(t *testing.T) {
	if !slices.Contains(ending(), os.Signal(syscall.SIGHUP)) {
		t.Error("a hangup does not end a run")
	}
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if slices.Contains(ending(), os.Signal(syscall.SIGHUP)) {
		t.Error("a hangup ends a run that was started by nohup")
	}
}
