package clone_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// proxy passes TCP connections on until they are cut; new ones are accepted all the while.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	open     []net.Conn
	work     sync.WaitGroup
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: fmt.Sprintf("127.0.0.1:%d", port)}
	p.work.Add(1)
	go p.accept()
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) accept() {
	defer p.work.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
			p.work.Add(1)
			go func() {
				defer p.work.Done()
				pass(pair[0], pair[1])
			}()
		}
	}
}

func pass(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut breaks every connection, as a firewall that forgets them would.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		_ = conn.Close() // some are closed already
	}
	p.open = nil
}
