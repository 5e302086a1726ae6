"""Pushes to many users who are away, by several callers at once, and pings to one who is there meanwhile."""
import concurrent.futures
import json
import threading
import time

from cluster import SLOW

UIDS = 10_000  # of a call, as many as it may have


class Pings:
    """Pushes to one user who is there, at a steady rate if they are answered as quickly, and how long after each was begun
    it arrived. Nobody waits for an arrival before the next one: what comes late hides nothing."""

    EVERY = 0.05

    def __init__(self, api, uid, client):
        self.api, self.uid, self.client = api, uid, client
        self.begun = []
        self.ages = []
        self.refused = 0
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def send(self):
        at = time.monotonic()
        while not self.end.is_set():
            begun = time.monotonic()
            status, text, _ = self.api.request("POST", f"/1/push?uid={self.uid}", str(len(self.begun)), timeout=60)
            if status == 503:
                self.refused += 1
            else:
                assert status == 200, text
                self.begun.append(begun)
            at += self.EVERY
            time.sleep(max(0, at - time.monotonic()))

    def receive(self):
        waited = time.monotonic()
        while not self.end.is_set() or len(self.ages) < len(self.begun):
            try:
                got = self.client.push(0.2)
            except TimeoutError:
                assert time.monotonic() - waited < 60 * SLOW, f"ping {len(self.ages)} of {len(self.begun)} did not arrive"
                continue
            assert got == str(len(self.ages)).encode()
            waited = time.monotonic()
            # It may be here before its push is answered.
            while len(self.begun) <= len(self.ages):
                time.sleep(0.001)
            self.ages.append(waited - self.begun[len(self.ages)])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        for thread in self.threads:
            thread.join()

    def quantile(self, share):
        assert len(self.ages) == len(self.begun) > 0
        return sorted(self.ages)[int(len(self.ages) * share)]


class Crowd:
    """CALLERS callers, CALLS calls of /1/pushs each, to UIDS users of their own who are away. What is refused is tried
    again when the answer says."""

    def __init__(self, api, callers, calls, first=10**12):
        self.api, self.callers, self.calls, self.first = api, callers, calls, first
        self.n = callers * calls * UIDS
        self.refused = 0
        self.answers = []  # seconds

    def _body(self, caller, call):
        first = self.first + (caller * self.calls + call) * UIDS
        return json.dumps({"u": list(range(first, first + UIDS)), "m": "x" * 50})

    def _call(self, body):
        while True:
            begin = time.monotonic()
            status, text, headers = self.api.request("POST", "/1/pushs", body, timeout=120)
            if status != 503:
                assert status == 200, text
                self.answers.append(time.monotonic() - begin)
                return
            self.refused += 1
            time.sleep(float(headers["Retry-After"]))

    def _caller(self, caller):
        for call in range(self.calls):
            self._call(self._body(caller, call))

    def push(self):
        """Until all is accepted; how long that took."""
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.callers) as pool:
            list(pool.map(self._caller, range(self.callers)))
        return time.monotonic() - begin
