package clone_test

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
)

// proxy passes TCP connections on until they are cut; new ones are accepted all the while.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	open     []*proxied
	work     sync.WaitGroup
}

// proxied is a connection on both sides.
type proxied struct {
	client, server net.Conn
	mu             sync.Mutex
	role           role
	closed         bool
	forgotten      bool // by a firewall, whose other side does not know: the server's is not closed
}

// role is what a connection does for a clone, as its commands tell where there is no TLS.
type role string

const (
	mainConnection   role = "main"             // INIT or REINIT
	ackConnection    role = "acknowledgements" // ACK
	workerConnection role = "worker"           // ATTACH
)

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
		c := &proxied{client: client, server: server}
		p.open = append(p.open, c)
		p.mu.Unlock()
		p.work.Go(func() {
			pass(server, client, func([]byte) {})
			c.end()
		})
		var commands commandReader
		p.work.Go(func() {
			pass(client, server, func(b []byte) { commands.read(b, c.found) })
			c.end()
		})
	}
}

// end closes both sides, once either is closed, unless the server is not to know.
func (c *proxied) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.forgotten {
		c.closed = true
		c.close()
	}
}

func pass(from, to net.Conn, look func([]byte)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			look(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// found takes note of a command of the clone protocol (CLONE-PROTOCOL, section 2).
func (c *proxied) found(command byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role == "" {
		c.role = map[byte]role{1: mainConnection, 2: workerConnection, 3: mainConnection, 5: ackConnection}[command]
	}
}

// is says whether it is an open connection of a role.
func (c *proxied) is(r role) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.role == r && !c.closed && !c.forgotten
}

// commandReader finds the commands of the clone protocol in what a client sends.
type commandReader struct {
	header  []byte // of the packet, as far as it has come
	left    int    // bytes of its payload that have not
	cloning bool
}

func (r *commandReader) read(b []byte, found func(command byte)) {
	for len(b) > 0 {
		if len(r.header) < 4 {
			r.header, b = append(r.header, b[0]), b[1:]
			if len(r.header) == 4 {
				r.left = r.length()
			}
		} else {
			if whole := r.left == r.length(); whole && r.cloning {
				found(b[0])
			} else if whole && r.left == 1 && b[0] == 0x20 { // COM_CLONE
				r.cloning = true
			}
			n := min(r.left, len(b))
			r.left, b = r.left-n, b[n:]
		}
		if len(r.header) == 4 && r.left == 0 {
			r.header = r.header[:0]
		}
	}
}

func (r *commandReader) length() int {
	return int(r.header[0]) | int(r.header[1])<<8 | int(r.header[2])<<16
}

// cut breaks every connection, as a firewall that forgets them would.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.close()
	}
	p.open = nil
}

// cutOne breaks the newest connection of a role, and reports whether there was one.
func (p *proxy) cutOne(r role) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range slices.Backward(p.open) {
		if c.is(r) {
			c.close()
			p.open = slices.Delete(p.open, i, i+1)
			return true
		}
	}
	return false
}

// forgetOne closes the newest connection of a role on the client's side alone, and reports whether there was one. The server
// goes on to write until it gives up.
func (p *proxy) forgetOne(r role) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range slices.Backward(p.open) {
		if c.is(r) {
			c.mu.Lock()
			c.forgotten = true
			c.mu.Unlock()
			_ = c.client.Close() // it may be closed already
			return true
		}
	}
	return false
}

func (c *proxied) close() {
	_, _ = c.client.Close(), c.server.Close() // some are closed already
}
