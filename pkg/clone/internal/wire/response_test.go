package wire

import (
	"errors"
	"testing"
)

func TestBodiesOfResponsesThatLieAreProtocolErrors(t *testing.T) {
	two := AppendStrings(nil, "name", "value")
	locators := AppendLocators(nil, Version4, EngineLocator{Engine: EngineInnoDB, Raw: []byte("raw")})
	for name, err := range map[string]error{
		"locators, empty":       second(ParseLocators(nil)),
		"locators, cut off":     second(ParseLocators(locators[:len(locators)-1])),
		"locators, engine only": second(ParseLocators(append(locators, 12))),
		"string, cut off":       first(ParseString(two[:7])),
		"string, goes on":       first(ParseString(two)),
		"string, huge":          first(ParseString([]byte{0xff, 0xff, 0xff, 0xff, 'x'})),
		"plugin, goes on":       second(ParsePlugin(ResponsePlugin, two)),
		"plugin, cut off":       second(ParsePlugin(ResponsePluginV2, two[:8])),
		"config, cut off":       second(ParseConfig(two[:len(two)-1])),
		"config, goes on":       second(ParseConfig(append(two, 0))),
		"response, empty":       first(parseResponse(nil)),
		"response, kind 0":      first(parseResponse([]byte{0})),
		"response, kind 10":     first(parseResponse([]byte{10})),
		"response, kind 98":     first(parseResponse([]byte{98})),
		"response, kind 101":    first(parseResponse([]byte{101, 1, 2})),
		"OK, empty":             parseOK(nil),
		"OK, something else":    parseOK([]byte{1, 2, 3}),
		"OK, an ERR cut off":    parseOK([]byte{0xff, 1}),
	} {
		var malformed *ProtocolError
		if !errors.As(err, &malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func first[A any](_ A, err error) error          { return err }
func second[A, B any](_ A, _ B, err error) error { return err }

func TestPluginsOfTheFirstVersionHaveNoLibrary(t *testing.T) {
	name, library, err := ParsePlugin(ResponsePlugin, AppendStrings(nil, "binlog"))
	if name != "binlog" || library != "" || err != nil {
		t.Errorf("%q, %q, %v", name, library, err)
	}
	name, library, err = ParsePlugin(ResponsePluginV2, AppendStrings(nil, "clone", "mysql_clone.so"))
	if name != "clone" || library != "mysql_clone.so" || err != nil {
		t.Errorf("%q, %q, %v", name, library, err)
	}
}

func TestErrorsOfADonorKeepNumberAndText(t *testing.T) {
	for _, test := range []struct {
		body []byte
		want DonorError
	}{
		{AppendError(nil, 3634, "Too many concurrent clone operations"), DonorError{3634, "Too many concurrent clone operations"}},
		{AppendError(nil, 1<<20, ""), DonorError{1 << 20, ""}},
		{[]byte("no"), DonorError{0, "no"}},
		{nil, DonorError{}},
	} {
		if got := ParseError(test.body); *got != test.want {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
}

func TestErrorsOfAServerKeepNumberStateAndText(t *testing.T) {
	for text, want := range map[string]ServerError{
		"\xff\xcb\x04#42000Access denied": {1227, "42000", "Access denied"},
		"\xff\x10\x04Too many":            {1040, "", "Too many"},
		"\xff\x10\x04#1":                  {1040, "", "#1"},
		"\xff\x10\x04":                    {1040, "", ""},
	} {
		var got *ServerError
		if err := parseOK([]byte(text)); !errors.As(err, &got) || *got != want {
			t.Errorf("%q: got %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func TestCommandsKindsAndStatesHaveTheirNames(t *testing.T) {
	for got, want := range map[string]string{
		CommandReinit.String():    "COM_REINIT",
		Command(0).String():       "command 0",
		Command(9).String():       "command 9",
		ResponsePluginV2.String(): "PLUGIN_V2",
		ResponseComplete.String(): "COMPLETE",
		ResponseError.String():    "ERROR",
		ResponseKind(50).String(): "response 50",
		StateRedoCopy.String():    "REDO_COPY",
		StateKind(0).String():     "NONE",
		StateKind(6).String():     "state 6",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
