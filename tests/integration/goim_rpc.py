"""goim's own programs, as far as gRPC goes: tests/goim/peer plays goim's job and goim's comet."""
import base64
import itertools
import json
import os
import queue
import subprocess
import threading

import golang
import imgo
from cluster import BUILD, ROOT, SLOW

PROTOS = ("proto/goim/comet.proto", "proto/goim/logic.proto")
_ids = itertools.count(1)


def _descriptors():
    """goim's messages, as protoc-c describes them."""
    out = BUILD / "tests" / "goim.pb"
    made = f"{out}.{os.getpid()}"
    subprocess.run(["protoc-c", f"--proto_path={ROOT}", "--include_imports", f"--descriptor_set_out={made}", *PROTOS],
                   check=True, cwd=ROOT)
    os.replace(made, out)
    return out


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Goim:
    """One process that calls, and with SERVE (host:port) answers as goim's comet does: .called gets (method, request)."""

    def __init__(self, serve=None):
        argv = [golang.build("peer"), "-descriptors", _descriptors(), *(["-serve", serve] if serve else [])]
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.called = queue.Queue()
        self.answers = {}
        self.dials = 0  # connections that it has made
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            told = json.loads(line)
            if "called" in told:
                self.called.put((told["called"], told["request"]))
            else:
                self.answers.pop(told["id"]).put(told)

    def begin(self, address, method, request=None, **more):
        """Begins a call; .end() of it gives its answer."""
        number = next(_ids)
        self.answers[number] = answer = queue.Queue()
        line = {"id": number, "to": address, "method": method, "request": request or {}, **more}
        self.popen.stdin.write(json.dumps(line).encode() + b"\n")
        self.popen.stdin.flush()

        def end():
            told = answer.get(timeout=60 * SLOW)
            self.dials = told["dials"]
            if "code" in told:
                raise Refused(told["code"], told.get("error", ""))
            return told.get("reply", told)
        return end

    def call(self, *args, **more):
        return self.begin(*args, **more)()

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(10)
        self.reader.join(10)


def rpc(daemon):
    return f"127.0.0.1:{daemon.rpc}"


def b64(data):
    return base64.b64encode(data).decode()


def message(op, body=b"", ver=1, seq=0):
    """A goim.protocol.Proto in protobuf's JSON."""
    return {"ver": ver, "op": op, "seq": seq, "body": b64(body)}


def raw(*pushes):
    """What goim's job makes of (operation, body): frames in the body of operation 9."""
    return message(9, b"".join(imgo.frame(op, body, seq=0) for op, body in pushes))


def _fields(data):
    """(number, value) of each field of a protobuf message; a varint, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(tag & 7) or (varint() if tag & 7 == 2 else None)
            yield tag >> 3, data[at:at + size]
            at += size


class Job:
    """goim's job, as far as it reads: a consumer group of its own on our topic, which knows goim's fields only."""

    def __init__(self, cluster):
        argv = [BUILD / "tests" / "tools" / "bus_get", cluster.bus.brokers, cluster.topic, f"{cluster.topic}-goim"]
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.read = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        for line in self.popen.stdout:
            message = {"type": 0, "operation": 0, "server": "", "room": "", "keys": [], "msg": b""}
            names = {1: "type", 2: "operation", 4: "server", 5: "room", 7: "msg"}
            for number, value in _fields(bytes.fromhex(line.decode().strip())):
                if number == 6:
                    message["keys"].append(value.decode())
                elif number in names:
                    message[names[number]] = value.decode() if number in (4, 5) else value
            self.read.put(message)

    def next(self, wanted, timeout=30):
        """The next message that WANTED, a function, takes."""
        while True:
            message = self.read.get(timeout=timeout * SLOW)
            if wanted(message):
                return message

    def close(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
