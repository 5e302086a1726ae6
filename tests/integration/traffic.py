"""Steady pushes in the background while a test breaks something, and the check of what arrived."""
import http.client
import threading
import time

from cluster import SLOW, wait_for

# Leases lapse and groups rebalance quickly; nobody's mailbox is trimmed.
QUICK = {f"IMC_{kind}_LEASE_{key}": value for kind in ("COMET", "LOGIC", "ROUTER", "JOB")
         for key, value in (("TTL", "1500ms"), ("RENEW", "300ms"))}
QUICK |= {"IMC_JOB_BUS_SESSION_TIMEOUT": "2s", "IMC_LOGIC_MAILBOX_LIMIT": "1000"}


class Traffic:
    """with Traffic([api, ...], users) as traffic: pushes rising numbers, to one user after the other, by one API after
    the other. A user's messages are accepted in the order of their numbers."""

    def __init__(self, apis, users, every=0.003):
        self.apis = apis
        self.users = users
        self.every = every
        self.accepted = {uid: [] for uid in users}
        self.unsure = {uid: set() for uid in users}  # answered by an error, or not at all: may have been accepted
        self.pushed = 0
        self.errors = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.is_set():
            for uid in self.users:
                self._push(uid, self.pushed)
                self.pushed += 1
                if self._end.wait(self.every):
                    return

    def _push(self, uid, number):
        try:
            answer = self.apis[number % len(self.apis)].call("POST", "/1/push", str(number), uid=uid)
        except (OSError, http.client.HTTPException) as error:
            answer = repr(error)
        if answer == (200, {"ret": 1}):
            self.accepted[uid].append(number)
        else:
            self.unsure[uid].add(number)
            self.errors.append(answer)

    def go_on(self, n, timeout=15):
        """Returns after N more pushes."""
        goal = self.pushed + n
        wait_for(lambda: self.pushed >= goal, timeout, lambda: f"{n} more pushes, errors so far: {self.errors[-3:]}")

    def received(self, uid, client, before=(), timeout=12, repeats=False):
        """Reads CLIENT until all that was accepted for UID is there, some of it BEFORE; checks completeness, order and,
        unless a fault may have caused some, repeats. After the traffic has ended."""
        got = list(before)
        missing = set(self.accepted[uid]) - set(got)
        end = time.monotonic() + timeout * SLOW
        while missing:
            try:
                got.append(int(client.push(end - time.monotonic())))
            except TimeoutError:
                raise AssertionError(f"{uid} never got {sorted(missing)} of {self.accepted[uid]}, but {got}") from None
            missing.discard(got[-1])
        firsts = list(dict.fromkeys(got))
        assert firsts == sorted(firsts), f"{uid}: out of order: {got}"
        assert not set(got) - set(self.accepted[uid]) - self.unsure[uid], f"{uid}: never pushed to it: {got}"
        assert repeats or firsts == got, f"{uid}: repeated: {got}"
        return got
