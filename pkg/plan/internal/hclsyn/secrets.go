package hclsyn

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Span is a piece of a text, in bytes.
type Span struct{ Start, End int }

// Named is what stands behind a name: the place of all of it, and those of what is written down in it, without names that refer to
// something and functions.
type Named struct {
	All      Span
	Literals []Span
}

// NamedValues are what stands behind each name that matches: the values of attributes and of keys, and the bodies of blocks.
// It looks at words and signs alone, so that it sees also what the parser leaves out, such as an attribute that is given twice.
func NamedValues(text []byte, match func(name string) bool) (found []Named) {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos) // what the scanner finds, the parser reports
	for i := range tokens {
		name, next, bare := nameAt(tokens, i)
		if next >= len(tokens) || name == "" || !match(name) {
			continue
		}
		from := next + 1
		switch tokens[next].Type {
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
		case hclsyntax.TokenOBrace:
			if !bare {
				continue // a label
			}
		case hclsyntax.TokenOQuote: // the sign was forgotten
			from = next
		default:
			continue
		}
		end := valueEnd(tokens, from)
		found = append(found, Named{Span{tokens[next].Range.End.Byte, tokens[end].Range.Start.Byte}, literalTokens(tokens[from:end])})
	}
	return found
}

// literalTokens are the places of what is written down, and of words that refer to nothing.
func literalTokens(tokens hclsyntax.Tokens) (spans []Span) {
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch t.Type {
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit, hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8, hclsyntax.TokenQuotedNewline:
			spans = append(spans, Span{t.Range.Start.Byte, t.Range.End.Byte})
		case hclsyntax.TokenIdent:
			end := i + 1
			for end+1 < len(tokens) && tokens[end].Type == hclsyntax.TokenDot && tokens[end+1].Type == hclsyntax.TokenIdent {
				end += 2
			}
			call := end < len(tokens) && tokens[end].Type == hclsyntax.TokenOParen
			if root := string(t.Bytes); !call && root != "var" && root != "local" && root != "each" {
				spans = append(spans, Span{t.Range.Start.Byte, tokens[end-1].Range.End.Byte})
			}
			i = end - 1
		}
	}
	return spans
}

// nameAt gives a name that begins at a token, bare or in quotes, and the token behind it.
func nameAt(tokens hclsyntax.Tokens, i int) (name string, next int, bare bool) {
	if tokens[i].Type == hclsyntax.TokenIdent {
		return string(tokens[i].Bytes), i + 1, true
	}
	if tokens[i].Type == hclsyntax.TokenOQuote && i+2 < len(tokens) && tokens[i+1].Type == hclsyntax.TokenQuotedLit && tokens[i+2].Type == hclsyntax.TokenCQuote {
		return string(tokens[i+1].Bytes), i + 3, false
	}
	return "", i + 1, false
}

// valueEnd gives the token behind a value: the end of its line outside of all brackets, or the bracket that ends what it is in.
func valueEnd(tokens hclsyntax.Tokens, i int) int {
	depth := 0
	for ; i < len(tokens)-1; i++ {
		switch tokens[i].Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl,
			hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if depth--; depth < 0 {
				return i
			}
		case hclsyntax.TokenNewline:
			if depth == 0 {
				return i
			}
		}
	}
	return i
}
