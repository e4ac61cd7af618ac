package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Words come as often as words of a language do.
const (
	vocabulary = 12_000
	zipf       = 1.2
	rowsAtOnce = 300
)

// generator makes the content of rows, the same each time.
type generator struct {
	rand   *rand.Rand
	zipf   *rand.Zipf
	words  []string
	cities []string
	agents []string
	now    time.Time
}

func newGenerator() *generator {
	r := rand.New(rand.NewPCG(2026, 1122))
	g := &generator{rand: r, zipf: rand.NewZipf(r, zipf, 4, vocabulary-1), now: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	syllables := strings.Fields("an be co de en fi ga ho in ju ka le mi no or pa qu re si ta un ve wo xi ya zo tion ment ing er st tr pl cr ou ea")
	for range vocabulary {
		word := ""
		for range 1 + int(math.Abs(r.NormFloat64()*1.2)+1) {
			word += syllables[r.IntN(len(syllables))]
		}
		g.words = append(g.words, word)
	}
	for i := range 400 {
		g.cities = append(g.cities, strings.ToUpper(g.words[i*7][:1])+g.words[i*7][1:]+"ville")
	}
	for i := range 40 {
		g.agents = append(g.agents, fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0", 90+i, 90+i))
	}
	return g
}

func (g *generator) text(words int) string {
	var b strings.Builder
	for range words {
		b.WriteString(g.words[g.zipf.Uint64()])
		switch g.rand.IntN(12) {
		case 0:
			b.WriteString(", ")
		case 1:
			b.WriteString(". ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rand.Uint32())
	}
	return b
}

func insert(table, columns, row string, rows int) string {
	return "INSERT INTO shop." + table + " (" + columns + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
}

func (g *generator) orders() (string, []any) {
	var args []any
	for range rowsAtOnce {
		g.now = g.now.Add(time.Duration(g.rand.IntN(60_000)) * time.Millisecond)
		var items []string
		for range 1 + g.rand.IntN(5) {
			items = append(items, fmt.Sprintf(`{"sku": "%s-%04d", "quantity": %d, "price": %d.%02d}`,
				strings.ToUpper(g.words[g.rand.IntN(200)]), g.rand.IntN(5000), 1+g.rand.IntN(5), g.rand.IntN(300), g.rand.IntN(100)))
		}
		detail := fmt.Sprintf(`{"items": [%s], "currency": "EUR", "coupon": null, "gift": %v, "comment": "%s"}`,
			strings.Join(items, ", "), g.rand.IntN(9) == 0, g.text(g.rand.IntN(8)))
		address := fmt.Sprintf("%s street %d, %05d %s", g.words[g.rand.IntN(3000)], 1+g.rand.IntN(200), g.rand.IntN(100_000), g.cities[g.rand.IntN(len(g.cities))])
		args = append(args, g.rand.IntN(50_000), g.now, 1+g.rand.IntN(4), float64(g.rand.IntN(100_000))/100, address, detail)
	}
	return insert("orders", "customer, placed, state, amount, address, detail", "(?, ?, ?, ?, ?, ?)", rowsAtOnce), args
}

func (g *generator) visits() (string, []any) {
	var args []any
	for range 2 * rowsAtOnce {
		line := fmt.Sprintf(`10.%d.%d.%d - - "GET /%s/%s?page=%d HTTP/1.1" %d %d "https://shop.example.org/%s" "%s"`,
			g.rand.IntN(4), g.rand.IntN(256), g.rand.IntN(256), g.words[g.rand.IntN(40)], g.words[g.rand.IntN(2000)], g.rand.IntN(30),
			200+100*(g.rand.IntN(20)/18), g.rand.IntN(60_000), g.words[g.rand.IntN(40)], g.agents[g.rand.IntN(len(g.agents))])
		args = append(args, g.now.Add(time.Duration(g.rand.IntN(1000))*time.Millisecond), line)
	}
	return insert("visits", "at, line", "(?, ?)", 2*rowsAtOnce), args
}

func (g *generator) notes() (string, []any) {
	var args []any
	for range rowsAtOnce / 2 {
		args = append(args, g.rand.IntN(1_000_000), "Dear customer,\n\nthank you for your order. "+g.text(20+g.rand.IntN(120))+"\n\nKind regards,\nyour team of the shop")
	}
	return insert("notes", "orderid, body", "(?, ?)", rowsAtOnce/2), args
}

// movements are numbers and nothing else, as in most rows of most servers.
func (g *generator) movements() (string, []any) {
	var args []any
	for range 5 * rowsAtOnce {
		item := g.zipf.Uint64()
		args = append(args, item, g.rand.IntN(12), g.rand.IntN(40)-20, 99+int(item*7919)%40_000, g.now.Add(time.Duration(g.rand.IntN(1000))*time.Millisecond))
	}
	return insert("movements", "item, warehouse, quantity, price, at", "(?, ?, ?, ?, ?)", 5*rowsAtOnce), args
}

// images take as many bytes as all else.
func (g *generator) images() (string, []any) {
	var args []any
	for range 130 {
		args = append(args, g.bytes(1000+g.rand.IntN(6000)))
	}
	return insert("images", "picture", "(?)", 130), args
}
