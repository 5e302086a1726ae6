"""Offsets that start again: the topic is made anew, Kafka loses its data, another cluster takes over behind the address. What
runs goes on running, and every push that is answered arrives: comets do not take new messages for replays of old ones,
job begins where the new log does."""
import shutil
import time

import pytest

import cluster as cluster_module
from cluster import wait_for
from imgo import TcpClient, body_of

pytestmark = pytest.mark.long

PARTITIONS = 4


@pytest.fixture(scope="module")
def bus(own_kafka):
    return own_kafka()  # to be wiped and restarted


@pytest.fixture
def world(bus, uids):
    """A cluster with 20 users online and one of them away, all offsets well above 0."""
    cluster = cluster_module.Cluster(bus).wait_ready()
    clients = {uid: TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)) for uid in uids(20)}
    away = uids(1)[0]
    world = World(cluster, clients, away, cluster.api.token(away))
    world.push_all("before", rounds=3)
    cluster.settled()
    yield world
    for client in clients.values():
        client.close()
    cluster.stop()


class World:
    def __init__(self, cluster, clients, away, token):
        self.cluster = cluster
        self.clients = clients
        self.away = away
        self.token = token
        self.refused = []  # (uid, body), once for each time

    def push(self, uid, body, patience=60):
        """Until it is accepted: without its topic, or without a broker, logic refuses."""
        def accepted():
            answer = self.cluster.api.call("POST", "/1/push", body, uid=uid)
            if answer != (200, {"ret": 1}):
                self.refused.append((uid, body))
            return answer == (200, {"ret": 1})
        wait_for(accepted, patience, lambda: f"a push to be accepted; {self.cluster.logics[0].log()[-2000:]}", 0.1)

    def arrive(self, uid, client, bodies):
        """All of them, in order, and nothing else. Only one that was refused first may come twice: Kafka can have it although
        its answer got lost."""
        spare = [body_of(client, body) for user, body in self.refused if user == uid]
        for body in (body_of(client, body) for body in bodies):
            got = client.push(30)
            while got != body and got in spare:
                spare.remove(got)
                got = client.push(30)
            assert got == body, (got, self.refused)
        for got in client.drain(0.01):
            assert got in spare, (got, self.refused)
            spare.remove(got)

    def push_all(self, what, rounds=1):
        """ROUNDS pushes for each; all of them arrive, in order and nothing else."""
        bodies = [f"{what} {n}" for n in range(rounds)]
        for body in bodies:
            for uid in [*self.clients, self.away]:
                self.push(uid, body)
        wait_for(lambda: f"{what} {rounds - 1}".encode() in self.cluster.api.waiting(self.away, self.token), 60, "storing")
        for uid, client in self.clients.items():
            self.arrive(uid, client, bodies)

    def restarts(self):
        return self.cluster.sum("job", "imc_job_log_restarts_total")

    def killed_job_repeats_nothing(self):
        """What is read again is recognised, so the comets remember the new log as well as the old one."""
        self.cluster.jobs[0].kill9()
        self.cluster.jobs[0].start()
        wait_for(self.cluster.jobs[0].ready, 30, "the job to be back")
        self.push_all("after the kill")


@pytest.mark.parametrize("pause", [0, 6])
def test_topic_made_anew(world, pause):
    """At once: nobody may have noticed that it was away; later: everybody has."""
    world.cluster.bus.topic_tool("delete", world.cluster.topic)
    time.sleep(pause)  # not waiting for something: this is the case
    if pause == 0:
        world.cluster.bus.topic_tool("create", world.cluster.topic, PARTITIONS)
    world.push_all("after")
    world.killed_job_repeats_nothing()


def test_topic_made_anew_with_more_messages_than_before(world):
    """Where job was reading there is a message again, but another one: Kafka tells nobody."""
    world.cluster.jobs[0].pause()
    world.cluster.bus.topic_tool("delete", world.cluster.topic)
    world.cluster.bus.topic_tool("create", world.cluster.topic, PARTITIONS)
    for n in range(5):
        for uid in world.clients:
            world.push(uid, f"more {n}")
    world.cluster.jobs[0].resume()
    for client in world.clients.values():
        assert sorted(client.pushes(5, 30)) == sorted(body_of(client, f"more {n}") for n in range(5))
    world.push_all("after")


def test_job_dies_before_it_notices(world):
    """Kafka keeps what the group has read of a topic that is gone. The new log does not reach so far, so it is read from
    its beginning; docs/operations.md says what if it does."""
    world.cluster.jobs[0].pause()
    world.cluster.bus.topic_tool("delete", world.cluster.topic)
    world.cluster.bus.topic_tool("create", world.cluster.topic, PARTITIONS)
    for uid in world.clients:
        world.push(uid, "anew")
    world.cluster.jobs[0].kill9()
    world.cluster.jobs[0].start()
    for client in world.clients.values():
        assert client.push(30) == body_of(client, "anew")
    world.push_all("after")


def test_data_lost(world):
    bus = world.cluster.bus
    bus.process.kill9()
    shutil.rmtree(bus.directory / "data")
    bus.run_kafka("data")
    world.push_all("after")
    world.killed_job_repeats_nothing()


def test_another_cluster_behind_the_address(world):
    """There and back again: the first one goes on where it was."""
    bus = world.cluster.bus
    bus.process.kill9()
    bus.run_kafka(f"other-{bus.topics}")
    world.push_all("other", rounds=2)
    bus.process.kill9()
    bus.run_kafka("data")
    # What was not committed in the last second comes again.
    for uid in world.clients:
        world.push(uid, "back")
    for client in world.clients.values():
        wait_for(lambda got=client: got.push(30) == body_of(got, "back"), 30, "the first message after the way back")
    world.push_all("after")


def test_the_same_log_is_not_taken_for_another(world):
    """However long nothing comes, and whatever pauses there are."""
    for n in range(4):
        time.sleep(2)  # longer than job waits before it looks
        world.push_all(f"slow {n}")
    assert world.restarts() == 0
