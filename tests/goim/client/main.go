// goimclient is a device of goim v2 in Go, over TCP, written from docs/protocol.md alone. It does as goim's own Go
// client does: it sends an auth, takes the first frame for the answer, and then sends heartbeats of version 0.
//
//	goimclient -auth '{"mid":1,"room_id":"live://1","accepts":[1000]}' [-heartbeat 10s] HOST:PORT
//
// It prints what comes, a line each: "auth", "online N", "push OP BODY", "reply OP BODY", "disconnect BODY"; bodies as
// Go quotes strings. Each line that it reads, "OP BODY", it sends. It ends with 0 when its input does, with 1 when the
// connection does.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	headerLen = 16
	maxPacket = 16 << 20

	opHeartbeat      = 2
	opHeartbeatReply = 3
	opDisconnect     = 6
	opAuth           = 7
	opAuthReply      = 8
)

type frame struct {
	version uint16
	op, seq int32
	body    []byte
}

type device struct {
	mu   sync.Mutex // of writing
	conn net.Conn
	in   *bufio.Reader
	seq  int32
}

// send writes a frame; sequences count from 1.
func (d *device) send(version uint16, op int32, body []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	out := bufio.NewWriter(d.conn)
	head := make([]byte, headerLen)
	binary.BigEndian.PutUint32(head[0:], uint32(headerLen+len(body)))
	binary.BigEndian.PutUint16(head[4:], headerLen)
	binary.BigEndian.PutUint16(head[6:], version)
	binary.BigEndian.PutUint32(head[8:], uint32(op))
	binary.BigEndian.PutUint32(head[12:], uint32(d.seq))
	out.Write(head)
	out.Write(body)
	return out.Flush()
}

func (d *device) receive() (*frame, error) {
	head := make([]byte, headerLen)
	if _, err := io.ReadFull(d.in, head); err != nil {
		return nil, err
	}
	packet, header := binary.BigEndian.Uint32(head), uint32(binary.BigEndian.Uint16(head[4:]))
	if header != headerLen || packet < header || packet > maxPacket {
		return nil, fmt.Errorf("a frame of %d bytes with a header of %d", packet, header)
	}
	f := &frame{
		version: binary.BigEndian.Uint16(head[6:]),
		op:      int32(binary.BigEndian.Uint32(head[8:])),
		seq:     int32(binary.BigEndian.Uint32(head[12:])),
		body:    make([]byte, packet-header),
	}
	_, err := io.ReadFull(d.in, f.body)
	return f, err
}

func (d *device) authenticate(auth string) error {
	if err := d.send(1, opAuth, []byte(auth)); err != nil {
		return err
	}
	first, err := d.receive()
	if err != nil {
		return err
	}
	if first.op == opDisconnect {
		return fmt.Errorf("disconnect %q", first.body)
	}
	if first.op != opAuthReply || first.seq != 1 || first.version != 1 {
		return fmt.Errorf("%+v came for the auth reply", *first)
	}
	fmt.Println("auth")
	return nil
}

func (d *device) beat(every time.Duration) {
	for {
		if d.send(0, opHeartbeat, nil) != nil {
			return // receive() says why
		}
		time.Sleep(every)
	}
}

// tell prints a frame. A push has sequence 0; each request of ours has another.
func (d *device) tell(f *frame) error {
	switch {
	case f.op == opHeartbeatReply && f.seq != 0:
		if len(f.body) != 4 || f.version != 0 {
			return fmt.Errorf("%+v came for a heartbeat reply", *f)
		}
		fmt.Println("online", int32(binary.BigEndian.Uint32(f.body)))
	case f.op == opDisconnect:
		fmt.Printf("disconnect %q\n", f.body)
	case f.seq != 0:
		fmt.Printf("reply %d %q\n", f.op, f.body)
	case f.version != 1:
		return fmt.Errorf("a push of version %d", f.version)
	default:
		fmt.Printf("push %d %q\n", f.op, f.body)
	}
	return nil
}

func (d *device) obey(orders io.Reader) error {
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		op, body, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(op, 10, 32)
		if err != nil {
			return err
		}
		if err := d.send(1, int32(n), []byte(body)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	auth := flag.String("auth", "", "the body of the auth")
	heartbeat := flag.Duration("heartbeat", 10*time.Second, "how often")
	flag.Parse()
	log.SetFlags(0)
	conn, err := net.Dial("tcp", flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	d := &device{conn: conn, in: bufio.NewReader(conn)}
	if err := d.authenticate(*auth); err != nil {
		log.Fatal(err)
	}
	go d.beat(*heartbeat)
	go func() {
		if err := d.obey(os.Stdin); err != nil {
			log.Fatal(err)
		}
		os.Exit(0)
	}()
	for {
		f, err := d.receive()
		if err == nil {
			err = d.tell(f)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
