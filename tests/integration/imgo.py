"""Clients written from imgo's protocol documents alone: TCP frames and WebSocket JSON.

Nothing here is shared with the C code, so that a mistake there is not repeated here.
"""
import base64
import collections
import json
import os
import socket
import struct
import time

# How long what has to come may take, unless the test says: no measure of anything. A machine may be busy with something
# else, and sanitizers take their time.
PATIENCE = 15 * float(os.environ.get("IMC_TEST_SLOW", "1"))

HEARTBEAT, HEARTBEAT_REPLY, SEND, PUSH, DISCONNECT, AUTH, AUTH_REPLY = 2, 3, 4, 5, 6, 7, 8
ACK, ACK_REPLY = 18, 19
TEST, TEST_REPLY = 254, 255

Frame = collections.namedtuple("Frame", "ver op seq body id", defaults=(None,))  # id: of an acknowledged session


class Closed(Exception):
    """The server closed the connection; .reason is the op 6 body it sent before, or None."""

    def __init__(self, reason=None, code=None):
        super().__init__(f"closed: {reason} {code}")
        self.reason = reason
        self.code = code


def frame(op, body=b"", seq=1, ver=1, header=16, length=None):
    """The bytes of one frame; HEADER and LENGTH can be wrong on purpose."""
    if length is None:
        length = 16 + len(body)
    return struct.pack(">IHHii", length, header, ver, op, seq) + body


def frame_id(data, header):
    """The message id of a frame with a header of 24 bytes, else None."""
    return struct.unpack(">Q", data[16:24])[0] if header >= 24 else None


class _Base:
    sock = None
    reason = None
    close_code = None

    def __init__(self, address, rcvbuf=None, source=None, tls=None, name="localhost", session=None):
        """TLS: an ssl.SSLContext; the server's certificate has to be for NAME, and SESSION is resumed."""
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(PATIENCE)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name, session=session)
        self.buf = b""

    def _fill(self, end):
        self.sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise TimeoutError("nothing came") from None
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(self.reason)
        self.buf += data

    def recv(self, timeout=PATIENCE):
        """The next frame that is not op 6. Raises Closed, or TimeoutError."""
        raise NotImplementedError

    def recv_op(self, op, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            got = self.recv(max(0.01, end - time.monotonic()))
            if got.op == op:
                return got

    def auth(self, token, seq=77, timeout=PATIENCE):
        self.send_auth(token, seq)
        reply = self.recv(timeout)
        assert reply.op == AUTH_REPLY, reply
        assert reply.seq == seq, reply
        return self

    def auth_acked(self, token, seq=1, **fields):
        """Authenticates as an acknowledged session, with the object of goim's clients."""
        self.send_object({"token": token, "ack": True} | fields, seq)
        reply = self.recv()
        assert (reply.op, reply.seq) == (AUTH_REPLY, seq), reply
        return self

    def acked_push(self, timeout=PATIENCE):
        """(sequence, id, body as text) of the next push to an acknowledged session."""
        got = self.recv(timeout)
        assert got.id is not None, got
        text = got.body.decode() if isinstance(got.body, bytes) else got.body if isinstance(got.body, str) else \
            json.dumps(got.body)
        return got.seq, got.id, text

    def ack(self, seq, ver=1):
        self.send(ACK, seq=seq, ver=ver)

    def push(self, timeout=PATIENCE):
        """The body of the next push."""
        return self.recv_op(PUSH, timeout).body

    def pushes(self, n, timeout=2 * PATIENCE):
        end = time.monotonic() + timeout
        return [self.push(max(0.01, end - time.monotonic())) for _ in range(n)]

    def nothing(self, seconds=0.3):
        """Asserts that nothing comes for a while."""
        try:
            got = self.recv(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"did not expect {got}")

    def wait_closed(self, timeout=PATIENCE):
        """Reads until the server has closed; the reason of op 6 or None."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.recv(max(0.01, end - time.monotonic()))
        except Closed as closed:
            self.close_code = closed.code
            return closed.reason

    def kicked(self, code, timeout=PATIENCE):
        """The words of the op 6 with CODE that comes next, before the server closes (WebSocket: with 4000 + CODE)."""
        try:
            got = self.recv(timeout)
        except Closed as closed:
            self.close_code = closed.code
        else:
            raise AssertionError(f"wanted op 6 with code {code}, got {got}")
        assert self.reason is not None, f"closed without op 6, close code {self.close_code}"
        more = {"nodes", "tcps", "wss", "backoff"} if code == 9 else set()
        assert self.reason["code"] == code and {"code", "reason"} <= self.reason.keys() <= {"code", "reason"} | more, \
            self.reason
        assert self.reason["reason"], self.reason
        if isinstance(self, WsClient):
            assert self.close_code == 4000 + code, self.close_code
        return self.reason["reason"]

    def drain(self, timeout=5.0):
        """The bodies of the pushes that still come until the server's end of the connection."""
        end = time.monotonic() + timeout
        got = []
        try:
            while True:
                got.append(self.push(max(0.01, end - time.monotonic())))
        except (Closed, TimeoutError):
            return got

    def leave(self, timeout=PATIENCE):
        """Ends the connection, and gives the bodies of the pushes that were still on their way to us."""
        self.sock.shutdown(socket.SHUT_WR)
        got = self.drain(timeout)
        self.sock.close()
        return got

    def reset(self):
        """Closes with a RST, as a phone that vanishes and comes back does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class TcpClient(_Base):
    name = "tcp"

    def send(self, op, body=b"", seq=1, **wrong):
        self.sock.sendall(frame(op, body, seq, **wrong))

    def send_auth(self, token, seq=77):
        self.send(AUTH, token.encode(), seq)

    def send_object(self, fields, seq=77):
        self.send(AUTH, json.dumps(fields).encode(), seq)

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            if len(self.buf) >= 16:
                length, header, ver, op, seq = struct.unpack(">IHHii", self.buf[:16])
                assert header >= 16 and length >= header, self.buf[:16]
                if len(self.buf) >= length:
                    id = frame_id(self.buf, header)
                    body, self.buf = self.buf[header:length], self.buf[length:]
                    if op == DISCONNECT:
                        self.reason = json.loads(body)
                        continue
                    return Frame(ver, op, seq, body, id)
            self._fill(end)


class SdkTcpClient(TcpClient):
    """As imgo's Java SDK: whatever one read returns is taken for one frame; anything else is an error."""

    name = "tcp-sdk"

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            self.buf = b""
            self._fill(end)
            length, header, ver, op, seq = struct.unpack(">IHHii", self.buf[:16])
            assert length == len(self.buf), f"one read held {len(self.buf)} bytes, the frame {length}"
            if op == DISCONNECT:
                self.reason = json.loads(self.buf[header:])
                continue
            return Frame(ver, op, seq, self.buf[header:])


def ws_frame(opcode, payload=b"", fin=True, mask=True, rsv=0, length=None):
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    n = len(payload) if length is None else length
    bit = 0x80 if mask else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


class WsClient(_Base):
    name = "ws"

    def __init__(self, address, path="/sub", headers=(), **kwargs):
        super().__init__(address, **kwargs)
        self.frames = collections.deque()
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", "Upgrade: websocket",
                 "Connection: keep-alive, Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        end = time.monotonic() + PATIENCE
        while b"\r\n\r\n" not in self.buf:
            self._fill(end)
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        self.head = head.decode()
        assert self.status == 101, head

    def send_json(self, value):
        self.sock.sendall(ws_frame(1, json.dumps(value).encode()))

    def send(self, op, body=None, seq=1, ver=1):
        message = {"ver": ver, "op": op, "seq": seq}
        if body is not None:
            message["body"] = body.decode() if isinstance(body, bytes) else body
        self.send_json(message)

    def send_auth(self, token, seq=77):
        self.send(AUTH, token, seq)

    def send_object(self, fields, seq=77):
        self.send(AUTH, fields, seq)

    def _message(self, end):
        """One unfragmented server frame (servers need not fragment, and ours does not)."""
        while True:
            if len(self.buf) >= 2:
                n, at = self.buf[1] & 0x7F, 2
                assert not self.buf[1] & 0x80, "a server must not mask"
                if n == 126 and len(self.buf) >= 4:
                    n, at = struct.unpack(">H", self.buf[2:4])[0], 4
                elif n == 127 and len(self.buf) >= 10:
                    n, at = struct.unpack(">Q", self.buf[2:10])[0], 10
                elif n >= 126:
                    n = 1 << 62
                if len(self.buf) >= at + n:
                    opcode, payload = self.buf[0] & 15, self.buf[at:at + n]
                    self.buf = self.buf[at + n:]
                    return opcode, payload
            self._fill(end)

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while not self.frames:
            opcode, payload = self._message(end)
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
                raise Closed(self.reason, code)
            if opcode == 9:
                self.sock.sendall(ws_frame(10, payload))
                continue
            if opcode == 10:
                continue
            assert opcode == 1, opcode
            batch = json.loads(payload)
            assert isinstance(batch, list) and batch, payload
            for one in batch:
                if one["op"] == DISCONNECT:
                    self.reason = one["body"]
                    continue
                id = int(one["id"]) if "id" in one else None
                self.frames.append(Frame(one["ver"], one["op"], one["seq"], one["body"], id))
        return self.frames.popleft()


def texts(client, n):
    """The bodies of the next N pushes as text, sorted; CLIENT is of either family."""
    bodies = [body[1] if isinstance(body, tuple) else body for body in client.pushes(n)]
    return sorted(body.decode() if isinstance(body, bytes) else str(body) for body in bodies)


def body_of(client, text):
    """What a pushed body looks like to CLIENT: bytes on TCP, a JSON value (or string) on WebSocket JSON."""
    if isinstance(client, TcpClient):
        return text.encode()
    try:
        return json.loads(text)
    except ValueError:
        return text
