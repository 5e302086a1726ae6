// goimpeer plays what goim's own programs do by gRPC: it calls goim.comet.Comet and goim.logic.Logic with the options
// that goim dials with, and serves goim.comet.Comet as goim's comet does. It knows goim's messages only by a descriptor
// set that protoc made of proto/goim.
//
//	goimpeer -descriptors FILE [-serve ADDRESS]
//
// Requests come as JSON, one a line, and are answered by a line each, in any order:
//
//	{"id":1,"to":"127.0.0.1:8092","method":"goim.comet.Comet/PushMsg","request":{…},"gzip":false}
//	{"id":1,"reply":{…}}    or    {"id":1,"code":"InvalidArgument","error":"…"}
//
// With "times" a call is made so often, by "at_once" callers, and the answer is {"id":1,"ok":N,"codes":{…}}. A call that
// comes to the address of -serve is answered with an empty reply and told as {"called":"PushMsg","request":{…}}.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

type request struct {
	ID      int             `json:"id"`
	To      string          `json:"to"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
	Raw     string          `json:"raw"` // base64: these bytes in place of a request
	Gzip    bool            `json:"gzip"`
	Times   int             `json:"times"`
	AtOnce  int             `json:"at_once"`
	Seconds float64         `json:"seconds"` // the deadline
	After   float64         `json:"after"`   // seconds without a call first
}

type answer struct {
	ID    int             `json:"id"`
	Reply json.RawMessage `json:"reply,omitempty"`
	Code  string          `json:"code,omitempty"`
	Error string          `json:"error,omitempty"`
	OK    int             `json:"ok,omitempty"`
	Codes map[string]int  `json:"codes,omitempty"`
	Dials int             `json:"dials"` // connections that were made until now
}

var (
	files  *protoregistry.Files
	output sync.Mutex
	conns  = map[string]*grpc.ClientConn{}
	lock   sync.Mutex
	dials  int32
)

func tell(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// What goim's job and comet dial with.
func dial(address string) (*grpc.ClientConn, error) {
	lock.Lock()
	defer lock.Unlock()
	if conn := conns[address]; conn != nil {
		return conn, nil
	}
	delays := backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}
	conn, err := grpc.Dial(address,
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			atomic.AddInt32(&dials, 1)
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(1<<24),
		grpc.WithInitialConnWindowSize(1<<24),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<24), grpc.MaxCallSendMsgSize(1<<24)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: 10 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                10 * time.Second,
			Timeout:             3 * time.Second,
			PermitWithoutStream: true,
		}))
	if err == nil {
		conns[address] = conn
	}
	return conn, err
}

func find(method string) (protoreflect.MethodDescriptor, error) {
	name := strings.Replace(method, "/", ".", 1)
	found, err := files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, err
	}
	return found.(protoreflect.MethodDescriptor), nil
}

// Sends bytes as they are, whatever they mean.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v interface{}) ([]byte, error) {
	if raw, is := v.([]byte); is {
		return raw, nil
	}
	return proto.Marshal(v.(proto.Message))
}
func (rawCodec) Unmarshal(data []byte, v interface{}) error {
	return proto.Unmarshal(data, v.(proto.Message))
}

func once(conn *grpc.ClientConn, method protoreflect.MethodDescriptor, req *request, in interface{}) (proto.Message, error) {
	seconds := req.Seconds
	if seconds == 0 {
		seconds = 30
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	defer cancel()
	options := []grpc.CallOption{grpc.ForceCodec(rawCodec{})}
	if req.Gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	out := dynamicpb.NewMessage(method.Output())
	return out, conn.Invoke(ctx, "/"+req.Method, in, out, options...)
}

func many(conn *grpc.ClientConn, method protoreflect.MethodDescriptor, req *request, in interface{}) *answer {
	result := &answer{ID: req.ID, Codes: map[string]int{}}
	left := make(chan bool, req.Times)
	for i := 0; i < req.Times; i++ {
		left <- true
	}
	close(left)
	var all sync.WaitGroup
	var counts sync.Mutex
	for i := 0; i < req.AtOnce; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for range left {
				_, err := once(conn, method, req, in)
				counts.Lock()
				if err == nil {
					result.OK++
				} else {
					result.Codes[status.Code(err).String()]++
					result.Error = status.Convert(err).Message()
				}
				counts.Unlock()
			}
		}()
	}
	all.Wait()
	return result
}

func call(req *request) *answer {
	conn, err := dial(req.To)
	if err != nil {
		return &answer{ID: req.ID, Code: "Dial", Error: err.Error()}
	}
	method, err := find(req.Method)
	if err != nil {
		return &answer{ID: req.ID, Code: "Method", Error: err.Error()}
	}
	message := dynamicpb.NewMessage(method.Input())
	var in interface{} = message
	if req.Raw != "" {
		in, err = base64.StdEncoding.DecodeString(req.Raw)
	} else if len(req.Request) > 0 {
		err = protojson.Unmarshal(req.Request, message)
	}
	if err != nil {
		return &answer{ID: req.ID, Code: "Request", Error: err.Error()}
	}
	time.Sleep(time.Duration(req.After * float64(time.Second)))
	if req.Times > 0 {
		return many(conn, method, req, in)
	}
	out, err := once(conn, method, req, in)
	if err != nil {
		return &answer{ID: req.ID, Code: status.Code(err).String(), Error: status.Convert(err).Message()}
	}
	reply, err := protojson.Marshal(out)
	if err != nil {
		return &answer{ID: req.ID, Code: "Reply", Error: err.Error()}
	}
	return &answer{ID: req.ID, Reply: reply}
}

// Plays goim's comet: every method of goim.comet.Comet answers an empty reply.
func serve(address string) error {
	found, err := files.FindDescriptorByName("goim.comet.Comet")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	desc := &grpc.ServiceDesc{ServiceName: "goim.comet.Comet", HandlerType: (*interface{})(nil)}
	for i := 0; i < methods.Len(); i++ {
		method := methods.Get(i)
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: string(method.Name()),
			Handler: func(_ interface{}, _ context.Context, decode func(interface{}) error,
				_ grpc.UnaryServerInterceptor) (interface{}, error) {
				in := dynamicpb.NewMessage(method.Input())
				if err := decode(in); err != nil {
					return nil, err
				}
				text, err := protojson.Marshal(in)
				if err != nil {
					return nil, err
				}
				tell(map[string]interface{}{"called": method.Name(), "request": json.RawMessage(text)})
				return dynamicpb.NewMessage(method.Output()), nil
			},
		})
	}
	server := grpc.NewServer()
	server.RegisterService(desc, struct{}{})
	go server.Serve(listener)
	return nil
}

func load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var set descriptorpb.FileDescriptorSet
	if err = proto.Unmarshal(data, &set); err != nil {
		return err
	}
	files, err = protodesc.NewFiles(&set)
	return err
}

func main() {
	descriptors := flag.String("descriptors", "", "a FileDescriptorSet of proto/goim")
	address := flag.String("serve", "", "serve goim.comet.Comet here")
	flag.Parse()
	err := load(*descriptors)
	if err == nil && *address != "" {
		err = serve(*address)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "goimpeer:", err)
		os.Exit(1)
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		req := new(request)
		if err := json.Unmarshal(line, req); err != nil {
			tell(&answer{Code: "Line", Error: err.Error()})
			continue
		}
		go func() {
			done := call(req)
			done.Dials = int(atomic.LoadInt32(&dials))
			tell(done)
		}()
	}
}
