"""Clients of sdk/js that do as a test says: in a Node, or in a page of a Chromium. sdk/driver.mjs is their side."""
import collections
import http.server
import itertools
import json
import pathlib
import queue
import re
import shutil
import subprocess
import threading
import time

import pytest

from browser import Answering
from cdp import Chromium, Page
from cluster import ROOT, wait_for
from imgo import PATIENCE

HERE = pathlib.Path(__file__).parent / "sdk"
SOURCES = ROOT / "sdk" / "js" / "src"
LEAST_NODE = 18
# Of clients in tests: quick to come back.
QUICK = {"backoff": {"baseMs": 50, "maxMs": 500}}


class Failed(Exception):
    """A call of the SDK's failed: .name is the error's class, .code that of operation 6."""

    def __init__(self, what):
        super().__init__(f"{what['name']}: {what['message']}")
        self.name = what["name"]
        self.code = what.get("code")


def node_binary():
    """Skips the test if there is no Node, or one that is too old."""
    binary = shutil.which("node")
    if binary is None:
        pytest.skip("there is no node: scripts/install-deps sdk installs Debian's")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = int(re.match(r"v(\d+)", version).group(1))
    if major < LEAST_NODE:
        pytest.skip(f"node is {version}: sdk/js needs {LEAST_NODE} or later")
    return binary, major


class _Host:
    """What the clients run in."""

    def __init__(self):
        self.clients = {}
        self.numbers = itertools.count(1)
        self.faults = []
        self.ready = threading.Event()

    def take(self, line):
        if "ready" in line:
            self.about = line["ready"]
            self.ready.set()
        elif "fault" in line:
            self.faults.append(line["fault"])
        else:
            self.clients[line["client"]].events[line["event"]].put(line["what"])

    def client(self, **options):
        number = next(self.numbers)
        client = self.clients[number] = Client(self, number)
        client.call("new", options={**QUICK, **options})
        return client


class Node(_Host):
    """A Node. OPTIONS are its own, as --experimental-websocket."""

    def __init__(self, *options):
        super().__init__()
        self.orders = itertools.count(1)
        self.answers = {}
        self.process = subprocess.Popen([node_binary()[0], *options, str(HERE / "node.mjs")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        assert self.ready.wait(PATIENCE), "Node did not start"

    def _read(self):
        for text in self.process.stdout:
            line = json.loads(text)
            if "order" in line:
                self.answers[line["order"]].put(line)
            else:
                self.take(line)

    def order(self, what):
        number = next(self.orders)
        self.answers[number] = queue.Queue()
        self.process.stdin.write(json.dumps({"order": number, **what}) + "\n")
        self.process.stdin.flush()
        try:
            return self.answers[number].get(timeout=2 * PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no answer to {what}; events: {self.clients[what['client']].seen()}") from None

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        assert code == 0, f"Node ended with {code}: see its words above"


class _Files(Answering):
    def do_GET(self):  # noqa: N802: the name is http.server's
        name = self.path.split("?")[0].lstrip("/") or "index.html"
        path = SOURCES / name[4:] if name.startswith("sdk/") else HERE / name
        kind = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}.get(path.suffix)
        if kind is None or path.parent not in (SOURCES, HERE) or not path.is_file():
            self.send_error(404)
            return
        self.answer(path.read_bytes(), kind)


class Browser(_Host):
    """A page in a Chromium, which loads the SDK as modules, without any build."""

    def __init__(self):
        super().__init__()
        self.chromium = Chromium()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        try:
            self.page = Page(self.chromium, f"{self.origin}/", lambda text: self.take(json.loads(text)))
            wait_for(self.ready.is_set, 60, lambda: f"the page: {self.page.faults}")
        except BaseException:
            self.stop()
            raise

    def order(self, what):
        return self.page.run(f"page({json.dumps(what)})")

    def offline(self, yes):
        """Chromium's own: its events, navigator.onLine, and no new connections."""
        self.page.call("Network.emulateNetworkConditions", offline=yes, latency=0, downloadThroughput=-1,
                       uploadThroughput=-1)

    def stop(self):
        self.chromium.stop()
        self.server.shutdown()
        self.server.server_close()


class Client:
    def __init__(self, host, number):
        self.host = host
        self.number = number
        self.events = collections.defaultdict(queue.Queue)

    def call(self, call, *args, **more):
        answer = self.host.order({"client": self.number, "call": call, "args": list(args), **more})
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["result"]

    def get(self, event, timeout=PATIENCE):
        """What event EVENT had that came next."""
        end = time.monotonic() + timeout
        while True:
            assert not self.host.faults, self.host.faults
            try:
                return self.events[event].get(timeout=0.1)
            except queue.Empty:
                assert time.monotonic() < end, f"no '{event}' came, but {self.seen()}"

    def text(self):
        return self.get("message")["text"]

    def texts(self, n):
        return [self.text() for _ in range(n)]

    def opened(self):
        self.call("ready")
        return self

    def seen(self):
        return {name: list(events.queue)[:5] for name, events in self.events.items()}

    def nothing(self, event):
        return self.events[event].empty()
