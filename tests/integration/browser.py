"""A real Chromium with one page, browser/index.html, whose clients of goim v2 and of imgo do as the test says.

  test ── orders ──► HTTP server ◄─ GET /orders ──── page ◄══ WebSocket ══► comets
       ◄─ events ──              ◄─ POST /events ───┘
"""
import base64
import collections
import http.server
import itertools
import json
import os
import pathlib
import queue
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from cluster import SLOW, Process, wait_for
from imgo import PATIENCE

FILES = pathlib.Path(__file__).parent / "browser"
TYPES = {".html": "text/html", ".js": "text/javascript"}
OPTIONS = ["--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--no-proxy-server",
           "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
           "--disable-breakpad", "--disable-crash-reporter", "--password-store=basic",
           "--disable-dev-shm-usage"]  # /dev/shm is 64 MiB in a container


class Answering(http.server.BaseHTTPRequestHandler):
    """Of an HTTP server for a page."""

    protocol_version = "HTTP/1.1"

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class _Handler(Answering):
    def do_GET(self):  # noqa: N802: the name is http.server's
        if self.path == "/orders":
            self.answer(json.dumps(self.server.browser.take_orders()).encode(), "application/json")
            return
        path = FILES / (self.path.lstrip("/") or "index.html")
        if path.parent != FILES or not path.is_file():
            self.send_error(404)
            return
        self.answer(path.read_bytes(), TYPES[path.suffix])

    def do_POST(self):  # noqa: N802
        self.server.browser.take_events(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(b"", "text/plain")


def _believe(home, ca):
    """Lets a Chromium with this HOME believe certificates of the CA in the file."""
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    for more in (["-N", "--empty-password"], ["-A", "-n", "ours", "-t", "C,,", "-i", ca]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *more], check=True)


class Browser:
    """One Chromium. HOST is the host in the page's address, and so in its origin. With CERTS, a directory of
    scripts/make-certs, the page comes over https, and its clients connect to wss."""

    def __init__(self, host="127.0.0.1", certs=None):
        binary = shutil.which("chromium")
        if binary is None:
            pytest.skip("there is no chromium: scripts/install-deps browser installs Debian's")
        self.orders = queue.Queue()
        self.clients = {}
        self.ids = itertools.count(1)
        self.ready = threading.Event()
        self.errors = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.browser = self
        if certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certs / "server.pem", certs / "server-key.pem")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)  # in the handlers
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.tls = certs is not None
        self.origin = f"http{'s' if self.tls else ''}://{host}:{self.server.server_address[1]}"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="imc-browser-"))
        if self.tls:
            _believe(self.directory, certs / "ca.pem")
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        self.process = Process("chromium", [binary, *OPTIONS, *root, f"--user-data-dir={self.directory / 'profile'}",
                                            f"{self.origin}/"], {"HOME": str(self.directory)}, self.directory)
        try:
            wait_for(lambda: self.ready.is_set() or not self.process.alive(), 60,
                     lambda: f"the page:\n{self.process.log()[-3000:]}")
            assert self.process.alive(), f"chromium ended:\n{self.process.log()[-3000:]}"
        except BaseException:
            self.stop()
            raise

    def take_orders(self):
        """Some seconds at most, so that nothing takes the request for dead."""
        try:
            orders = [self.orders.get(timeout=5)]
        except queue.Empty:
            return []
        while not self.orders.empty():
            orders.append(self.orders.get())
        return orders

    def take_events(self, events):
        for event in events:
            if event["kind"] == "ready":
                self.ready.set()
            elif event["kind"] == "error":
                self.errors.append(event["what"]["message"])
            else:
                self.clients[event["client"]].take(event["kind"], event["what"])

    def open(self, family, comet, auth, heartbeat=0.5 * SLOW):
        """A client of FAMILY ("goim", "imgo") that connects to COMET, sends AUTH, and then heartbeats."""
        client = PageClient(self, next(self.ids))
        self.clients[client.id] = client
        url = "wss://{}:{}/sub".format(*comet.wss) if self.tls else "ws://{}:{}/sub".format(*comet.ws)
        client.order(family, url=url, auth=auth, heartbeat=heartbeat)
        return client

    def stop(self):
        """Ends every process of it: they are one group."""
        try:
            os.killpg(self.process.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.popen.wait()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.directory, ignore_errors=True)


class PageClient:
    """One client in the page. What happened to it is in queues, by kind."""

    def __init__(self, browser, number):
        self.browser = browser
        self.id = number
        self.queues = collections.defaultdict(queue.Queue)
        self.in_room = None  # what the last heartbeat was answered
        self.heartbeats = 0
        self.batches = set()  # how many pushes a WebSocket message held

    def take(self, kind, what):
        if "body" in what:
            what["body"] = base64.b64decode(what["body"])
        if kind == "online":
            assert what.get("bytes", 4) == 4
            self.in_room = what.get("n")
            self.heartbeats += 1
        if kind == "push":
            self.batches.add(what["batch"])
        self.queues[kind].put(what)

    def order(self, order, **what):
        self.browser.orders.put({"order": order, "client": self.id, **what})

    def get(self, kind, timeout=PATIENCE):
        """What happened next of KIND."""
        end = time.monotonic() + timeout
        while True:
            assert not self.browser.errors, self.browser.errors
            try:
                return self.queues[kind].get(timeout=0.1)
            except queue.Empty:
                closed = list(self.queues["close"].queue)
                assert not closed, f"closed instead of {kind}: {closed}"
                assert time.monotonic() < end, f"no {kind} came"

    def authenticated(self):
        reply = self.get("auth")
        assert (reply["seq"], reply["version"]) == (1, 1), reply
        assert reply.get("body", b"") == b"" and reply.get("json", {}) == {}, reply
        return self

    def send(self, op, body=b""):
        self.order("send", op=op, body=base64.b64encode(body).decode())

    def ask(self, op, body=b""):
        """(operation, body) of the reply."""
        self.send(op, body)
        reply = self.get("reply")
        assert reply["version"] == 1, reply
        return reply["op"], reply["body"]

    def push(self):
        """(operation, body) of the next push; the body is a value where the client speaks JSON."""
        got = self.get("push")
        return got["op"], got["json"] if "json" in got else got["body"]

    def pushes(self, n):
        return [self.push() for _ in range(n)]

    def kicked(self, code):
        """The words of operation 6 with CODE; the page's close event has 4000 + CODE."""
        close = self.get("close")
        assert close["code"] == 4000 + code and close["clean"], close
        reason = self.queues["disconnect"].get_nowait()
        assert reason["code"] == code and reason["reason"], reason
        return reason["reason"]

    def close(self):
        self.order("close")
