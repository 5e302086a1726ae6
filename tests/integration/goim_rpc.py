"""goim's own programs, as far as gRPC goes: tests/goim, which this builds, plays goim's job and goim's comet."""
import base64
import fcntl
import itertools
import json
import os
import queue
import shutil
import subprocess
import threading

import pytest

import imgo
from cluster import BUILD, ROOT, SLOW

PROTOS = ("proto/goim/comet.proto", "proto/goim/logic.proto")
_ids = itertools.count(1)


def _build():
    """(program, descriptor set). Skips where there is no Go, or its modules cannot be had."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("no Go on this machine (Debian: golang-go): goim's programs cannot be built")
    out = BUILD / "tests" / "goim"
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["protoc-c", f"--proto_path={ROOT}", "--include_imports",
                        f"--descriptor_set_out={out / 'goim.pb'}", *PROTOS], check=True, cwd=ROOT)
        env = {**os.environ, "GOFLAGS": "-mod=readonly -trimpath", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        source = ROOT / "tests" / "goim"
        got = subprocess.run([go, "mod", "download"], cwd=source, env=env, capture_output=True, text=True)
        if got.returncode != 0:
            pytest.skip(f"Go's modules cannot be had: {got.stderr[-300:]}")
        subprocess.run([go, "build", "-o", out / "goimpeer", "."], check=True, cwd=source, env=env)
    return out / "goimpeer", out / "goim.pb"


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Goim:
    """One process that calls, and with SERVE (host:port) answers as goim's comet does: .called gets (method, request)."""

    def __init__(self, serve=None):
        program, descriptors = _build()
        argv = [program, "-descriptors", descriptors, *(["-serve", serve] if serve else [])]
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
