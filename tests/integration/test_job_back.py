"""How long users wait when a job dies, ends or loses its brokers: as long as it takes, not as long as a session."""
import time

import pytest

from cluster import SLOW, wait_for
from imgo import TcpClient, body_of

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def real_kafka(bus):
    if bus.kind != "kafka":
        pytest.skip("librdkafka's mock cluster has no members with names")


class Users:
    """20 of them, so that every partition has some."""

    def __init__(self, cluster, uids):
        self.cluster = cluster
        self.clients = {uid: TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)) for uid in uids(20)}
        self.push_all("first")

    def push_all(self, what):
        """Seconds until everybody has it; nothing comes but that."""
        begin = time.monotonic()
        for uid in self.clients:
            wait_for(lambda to=uid: self.cluster.api.call("POST", "/1/push", what, uid=to) == (200, {"ret": 1}), 60, "a push")
        for client in self.clients.values():
            assert client.push(60) == body_of(client, what)
        return time.monotonic() - begin

    def close(self):
        for client in self.clients.values():
            client.close()


@pytest.fixture
def world(make_cluster, uids):
    made = []

    def make(**kwargs):
        cluster = make_cluster(**kwargs)
        made.append(Users(cluster, uids))
        return cluster, made[-1]

    yield make
    for users in made:
        users.close()


def each_has(cluster, n):
    wait_for(lambda: all(job.metrics().get("imc_job_partitions") == n for job in cluster.jobs), 30, f"{n} partitions each")


def test_killed_and_back_at_once(world):
    cluster, users = world()
    cluster.settled()
    cluster.jobs[0].kill9()
    cluster.jobs[0].start()
    assert users.push_all("back") < 3 * SLOW


def test_killed_and_another_takes_over(world):
    cluster, users = world(jobs=2)
    each_has(cluster, 2)
    cluster.jobs[0].kill9()
    assert users.push_all("taken over") < 6 * SLOW


def test_ended_and_another_takes_over(world):
    """It has a name in the group, but leaves it nonetheless."""
    cluster, users = world(jobs=2)
    each_has(cluster, 2)
    assert cluster.jobs[0].term() == 0
    assert users.push_all("left") < 3 * SLOW


def test_brokers_away_for_longer_than_a_session(world, bus):
    """They come back with a group that has our old member in it."""
    cluster, users = world()
    cluster.settled()
    bus.process.kill9()
    wait_for(lambda: "partitions lost" in cluster.jobs[0].log(), 30, "job to see its session end")
    bus.run_kafka("data")
    wait_for(lambda: cluster.api.call("POST", "/1/push", "x", uid=1) == (200, {"ret": 1}), 60, "pushes to be accepted")
    assert users.push_all("after") < 3 * SLOW


def test_a_second_job_of_that_name_waits(world):
    """A copied configuration: it does not drive out the first one, and says what is wrong."""
    cluster, users = world()
    second = cluster._daemon("job", 2, IMC_JOB_LEASE_ID="1")
    wait_for(lambda: "lease" in second.log() and second.get("/readyz")[0] == 503, 10, "the second one to wait")
    assert "bus: not ready: waiting for the lease" in second.get("/readyz")[1]
    users.push_all("by the first one")
    assert cluster.jobs[0].ready() and second.alive()
    cluster.jobs[0].term()
    wait_for(second.ready, 20, "the second one to take the first one's place")
    users.push_all("by the second one")
