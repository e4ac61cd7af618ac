package plan

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	errSize     = errors.New(`a size is digits with K, M, G or T, optionally followed by B or iB: 100M, 64KiB, 20GB; all of them binary, 1K is 1024 bytes`)
	errRate     = errors.New(`a rate is digits with K, M, G or T, optionally followed by B or iB, and /s: 100M, 100MiB/s; all of them binary, 1K is 1024 bytes`)
	errTooBig   = errors.New("this is more than can be counted")
	errDuration = errors.New(`a duration is numbers with units: 90s, 5m, 6h, 1h30m, 2d`)
	errNegative = errors.New("a duration can't be negative")
	errAmount   = errors.New(`an amount is a percentage from 0% to 100%, or a size such as 20G`)
)

var sizePattern = regexp.MustCompile(`^([0-9]+) ?(?:([KMGT])(?:B|iB)?|B)?(/s)?$`)

// parseSize reads a number of bytes; with rate, of bytes a second.
func parseSize(text string, rate bool) (int64, error) {
	m := sizePattern.FindStringSubmatch(text)
	if m == nil || m[3] != "" && !rate {
		if rate {
			return 0, errRate
		}
		return 0, errSize
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil { // there are digits only, so it is out of range
		return 0, errTooBig
	}
	if m[2] != "" {
		shift := 10 * (1 + strings.Index("KMGT", m[2]))
		if n > math.MaxInt64>>shift {
			return 0, errTooBig
		}
		n <<= shift
	}
	return n, nil
}

var dayPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)

// parseDuration reads a duration as Go writes it, with days before the rest.
func parseDuration(text string) (time.Duration, error) {
	rest, days := text, 0.0
	if m := dayPattern.FindStringSubmatch(text); m != nil {
		var err error
		if days, err = strconv.ParseFloat(m[1], 64); err != nil {
			return 0, errTooBig
		}
		if rest = m[2]; rest == "" {
			rest = "0s"
		}
	}
	if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, errNegative
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, errDuration
	}
	total := days*float64(24*time.Hour) + float64(d)
	if total >= math.MaxInt64 {
		return 0, errTooBig
	}
	if days == 0 {
		return d, nil
	}
	return time.Duration(days*float64(24*time.Hour)) + d, nil
}

var percentPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?%$`)

// parseAmount reads a size or a percentage.
func parseAmount(text string) (Amount, error) {
	if m := percentPattern.FindStringSubmatch(text); m != nil {
		percent, err := strconv.ParseFloat(m[1], 64)
		if err != nil || percent > 100 {
			return Amount{}, errAmount
		}
		return Amount{Percent: percent}, nil
	}
	n, err := parseSize(text, false)
	if errors.Is(err, errSize) {
		return Amount{}, errAmount
	}
	return Amount{Bytes: n}, err
}
