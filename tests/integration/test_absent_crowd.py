"""Pushes to many users who are away: storing them does not hold up what goes to those who are there."""
import threading
import time

import pytest

from cluster import SLOW
from imgo import TcpClient

CALLS, UIDS = 30, 10_000


@pytest.fixture
def cluster(make_cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus is not quick enough")
    return make_cluster()


class Pings:
    """Pushes to one user who is there, at a steady rate, and how long after each was due it arrived: what comes late must
    not hide what would have been sent meanwhile."""

    EVERY = 0.05

    def __init__(self, api, uid, client):
        self.api, self.uid, self.client = api, uid, client
        self.due = []
        self.ages = []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def send(self):
        at = time.monotonic()
        while not self.end.is_set():
            self.due.append(at)
            self.api.push(self.uid, str(len(self.due) - 1))
            at += self.EVERY
            time.sleep(max(0, at - time.monotonic()))

    def receive(self):
        waited = time.monotonic()
        while not self.end.is_set() or len(self.ages) < len(self.due):
            try:
                got = self.client.push(0.2)
            except TimeoutError:
                assert time.monotonic() - waited < 60 * SLOW, f"ping {len(self.ages)} of {len(self.due)} did not arrive"
                continue
            assert got == str(len(self.ages)).encode()
            waited = time.monotonic()
            self.ages.append(waited - self.due[len(self.ages)])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        for thread in self.threads:
            thread.join()

    def p95(self):
        assert len(self.ages) == len(self.due)
        return sorted(self.ages)[len(self.ages) * 95 // 100]


def test_who_is_there_does_not_wait_for_those_who_are_away(cluster, uid):
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    with Pings(cluster.api, uid, client) as pings:
        begin = time.monotonic()
        for call in range(CALLS):
            cluster.api.pushs([10**12 + call * UIDS + i for i in range(UIDS)], "x" * 50)
        accepted = time.monotonic() - begin
        cluster.settled(120)
        stored = time.monotonic() - begin
    client.close()
    print(f"accepted in {accepted:.1f} s, stored in {stored:.1f} s; {len(pings.ages)} pings: p95 {pings.p95():.3f} s, "
          f"longest {max(pings.ages):.3f} s; put off {cluster.sum('job', 'imc_job_parked_total'):.0f}")
    # Those who are away took the whole time to be stored; a machine that is slow at that is slow at all.
    assert pings.p95() <= max(1 * SLOW, stored / 10)
    assert cluster.sum("job", "imc_job_parked_total") > 0
    assert cluster.sum("job", "imc_job_parked_lost_total") == 0
    assert int(cluster.redis_cli("dbsize")) >= CALLS * UIDS
