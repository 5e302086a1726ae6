"""Clients written from goim v2's protocol documents alone: frames on TCP, and frames in WebSocket binary messages."""
import json
import struct
import time

import imgo
from imgo import PATIENCE, Closed, Frame, ws_frame

HEARTBEAT, HEARTBEAT_REPLY, SEND, DISCONNECT, AUTH, AUTH_REPLY, RAW = 2, 3, 4, 6, 7, 8, 9
CHANGE_ROOM, SUBSCRIBE, UNSUBSCRIBE = 12, 14, 16


def frames(data):
    """The frames that lie back to back in DATA."""
    while data:
        length, header, ver, op, seq = struct.unpack(">IHHii", data[:16])
        assert header in (16, 24) and header <= length <= len(data), data[:16]
        yield Frame(ver, op, seq, data[header:length], imgo.frame_id(data, header))
        data = data[length:]


class _Goim:
    def auth(self, seq=1, ver=1, **fields):
        """Sends FIELDS as the body of the auth; the reply's body."""
        self.send(AUTH, json.dumps(fields).encode(), seq, ver=ver)
        reply = self.recv()
        assert (reply.op, reply.seq, reply.ver) == (AUTH_REPLY, seq, ver), reply
        return reply.body

    def ask(self, op, body=b"", seq=5, ver=1):
        """Sends a request; (operation, body) of the reply, which has to echo version and sequence."""
        self.send(op, body, seq, ver=ver)
        reply = self.recv()
        assert (reply.seq, reply.ver) == (seq, ver), reply
        return reply.op, reply.body

    def online(self, **kwargs):
        op, body = self.ask(HEARTBEAT, **kwargs)
        assert op == HEARTBEAT_REPLY and len(body) == 4, (op, body)
        return struct.unpack(">i", body)[0]

    def push(self, timeout=PATIENCE):
        """(operation, body) of the next push."""
        got = self.recv(timeout)
        assert (got.ver, got.seq) == (1, 0), got
        return got.op, got.body

    def pushes(self, n, timeout=2 * PATIENCE):
        end = time.monotonic() + timeout
        return [self.push(max(0.01, end - time.monotonic())) for _ in range(n)]


class TcpClient(_Goim, imgo.TcpClient):
    name = "goim-tcp"


class WsClient(_Goim, imgo.WsClient):
    name = "goim-ws"

    def send(self, op, body=b"", seq=1, **wrong):
        self.sock.sendall(ws_frame(2, imgo.frame(op, body, seq, **wrong)))

    def send_object(self, fields, seq=77):
        self.send(AUTH, json.dumps(fields).encode(), seq)

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while not self.frames:
            opcode, payload = self._message(end)
            if opcode == 8:
                raise Closed(self.reason, struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None)
            if opcode == 9:
                self.sock.sendall(ws_frame(10, payload))
                continue
            assert opcode == 2, opcode
            (one,) = frames(payload)  # a message is one frame
            if one.op == DISCONNECT:
                self.reason = json.loads(one.body)
            elif one.op == RAW:
                assert (one.ver, one.seq) == (1, 0), one
                self.frames.extend(frames(one.body))
            else:
                self.frames.append(one)
        return self.frames.popleft()
