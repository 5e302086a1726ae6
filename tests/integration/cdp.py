"""A Chromium that a test drives by the DevTools protocol, over a pair of pipes: JSON messages, each ended by NUL."""
import fcntl
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

from browser import OPTIONS
from cluster import SLOW

PATIENCE = 30 * SLOW


def _above_four(descriptor):
    above = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return above


class Chromium:
    """One browser; .page(url) opens a page in it."""

    def __init__(self):
        binary = shutil.which("chromium")
        if binary is None:
            pytest.skip("there is no chromium: scripts/install-deps browser installs Debian's")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="imc-chromium-"))
        self.lock = threading.Lock()
        self.last = 0
        self.answers = {}
        self.listeners = {}  # of events, by session
        reads, self.out = map(_above_four, os.pipe())
        self.into, writes = map(_above_four, os.pipe())
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        # Chromium reads descriptor 3 and writes 4; the shell puts the pipes there.
        shell = ["bash", "-c", f'exec "$@" 3<&{reads} 4>&{writes}', "bash"]
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*shell, binary, *OPTIONS, *root, "--remote-debugging-pipe", f"--user-data-dir={self.directory}/profile"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(reads, writes),
                env={**os.environ, "HOME": str(self.directory)})
        os.close(reads)
        os.close(writes)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while True:
            try:
                got = os.read(self.into, 1 << 16)
            except OSError:
                return
            if not got:
                return
            *messages, rest = (rest + got).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message):
        if "id" in message:
            self.answers[message["id"]].put(message)
        else:
            for listener in self.listeners.get(message.get("sessionId"), []):
                listener(message["method"], message["params"])

    def call(self, method, session=None, timeout=PATIENCE, **params):
        with self.lock:
            self.last += 1
            number, answer = self.last, queue.Queue()
            self.answers[number] = answer
            message = {"id": number, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            os.write(self.out, json.dumps(message).encode() + b"\0")
        try:
            got = answer.get(timeout=timeout)
        except queue.Empty:
            log = (self.directory / "log").read_text(errors="replace")
            raise AssertionError(f"Chromium did not answer {method}:\n{log[-3000:]}") from None
        finally:
            self.answers.pop(number, None)
        assert "error" not in got, (method, got["error"])
        return got["result"]

    def page(self, url):
        return Page(self, url)

    def stop(self):
        """Ends every process of it: they are one group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.directory, ignore_errors=True)


class Page:
    """One page. What it says on its console, what it throws and what it may not load is in .faults; what it tells by the
    function tell(text) goes to .told."""

    def __init__(self, chromium, url, told=None):
        self.chromium = chromium
        self.faults = []
        self.told = told or (lambda text: None)
        target = chromium.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        chromium.listeners[self.session] = [self._event]
        for domain in ("Runtime", "Page", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Runtime.addBinding", name="tell")
        if url:
            self.go(url)

    def go(self, url):
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer

    def call(self, method, **params):
        return self.chromium.call(method, self.session, **params)

    def _event(self, method, params):
        if method == "Runtime.bindingCalled":
            self.told(params["payload"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.faults.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.faults.append(params["entry"]["text"])

    def run(self, expression):
        """The value of an expression, or what its promise resolves with."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def close(self):
        self.chromium.call("Target.closeTarget", targetId=self.target)
