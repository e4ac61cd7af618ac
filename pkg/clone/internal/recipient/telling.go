package recipient

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"runner/pkg/clone/internal/wire"
)

// defaultReconnect is how long a donor that does not say so keeps a snapshot:
// clone_donor_timeout_after_network_failure's own default.
const defaultReconnect = 5 * time.Minute

// maxReconnect is the most minutes that clone_donor_timeout_after_network_failure can be.
const maxReconnect = 30

// telling reads an answer to its end, and keeps what the donor says of itself in it. Servers before 8.0.20 say a part of it
// after the locators, so all is looked at once it is complete.
type telling struct {
	donor    Donor
	locators []wire.EngineLocator
}

// maxTold bounds what a donor may say of itself: some 50 plugins and 300 collations are usual.
const maxTold = 1 << 16

func (t *telling) read(ctx context.Context, c *wire.Conn, idle time.Duration) error {
	for range maxTold {
		r, err := c.Receive(ctx, idle)
		if err != nil {
			return err
		}
		switch r.Kind {
		case wire.ResponseComplete:
			return nil
		case wire.ResponseError:
			return wire.ParseError(r.Body)
		}
		if err := t.take(r); err != nil {
			return err
		}
	}
	return broken("the answer does not end")
}

func (t *telling) take(r wire.Response) (err error) {
	var name, value string
	switch r.Kind {
	case wire.ResponseLocators:
		t.donor.Protocol, t.locators, err = wire.ParseLocators(r.Body)
	case wire.ResponsePlugin, wire.ResponsePluginV2:
		name, value, err = wire.ParsePlugin(r.Kind, r.Body)
		t.donor.Plugins = append(t.donor.Plugins, Plugin{Name: name, Library: value})
	case wire.ResponseCollation:
		name, err = wire.ParseString(r.Body)
		t.donor.Collations = append(t.donor.Collations, name)
	case wire.ResponseConfig, wire.ResponseConfigV3:
		name, value, err = wire.ParseConfig(r.Body)
		t.donor.set(name, value)
	case wire.ResponseConfigV4:
		_, value, err = wire.ParseConfig(r.Body)
		if err == nil && json.Valid([]byte(value)) {
			t.donor.JSON = json.RawMessage(value)
		}
	default:
		return broken("a response of kind %d came before any data", r.Kind)
	}
	return err
}

func (d *Donor) set(name, value string) {
	if name == "clone_donor_timeout_after_network_failure" {
		if minutes, err := strconv.Atoi(value); err == nil && minutes >= 0 && minutes <= maxReconnect {
			d.ReconnectWithin = time.Duration(minutes) * time.Minute
		}
		return
	}
	d.Configuration = append(d.Configuration, Setting{name, value})
}

// parseVersion gives 80036 for "8.0.36-28.1".
func parseVersion(text string) (uint32, bool) {
	number, _, _ := strings.Cut(text, "-")
	parts := strings.Split(number, ".")
	if len(parts) != 3 {
		return 0, false
	}
	v := uint32(0)
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || n > 99 {
			return 0, false
		}
		v = v*100 + uint32(n)
	}
	return v, true
}
