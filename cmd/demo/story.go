package main

import (
	"fmt"
	"io"
	"time"
)

// story is what the reader sees.
type story struct {
	w     io.Writer
	begin time.Time
	part  int
}

func newStory(w io.Writer) *story { return &story{w: w, begin: time.Now()} }

// chapter begins a part of the story.
func (s *story) chapter(title string) {
	s.part++
	s.say("\n== %d. %s  [%s]\n", s.part, title, time.Since(s.begin).Round(time.Second))
}

// say is a line of the story.
func (s *story) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // a reader who has left misses nothing
}
