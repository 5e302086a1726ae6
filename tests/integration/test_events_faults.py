"""Every connected has its disconnected: comets, jobs, logics and Kafka are away at the worst moments."""
import pytest

import event_books
import event_crowd
import events
import imgo
from cluster import wait_for
from traffic import QUICK

pytestmark = pytest.mark.long


@pytest.fixture
def make(bus, make_cluster):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")

    def with_events(types=None, more=None, **kwargs):
        env, topic = events.settings(bus, types, IMC_LOGIC_BUS_TIMEOUT="1s", **(more or {}))
        cluster = make_cluster(env={**QUICK, **env}, **kwargs)
        cluster.events = topic
        return cluster

    yield with_events
    bus.resume()


def session(cluster, uid, comet=0):
    return imgo.TcpClient(cluster.comets[comet].tcp).auth(cluster.api.token(uid))


def test_a_comet_dies_and_its_job_with_it(make, uids):
    """The job's partitions go to the other one, which reads the log from its beginning."""
    cluster = make(comets=2, jobs=2)
    users = uids(6)
    clients = [session(cluster, uid, n % 2) for n, uid in enumerate(users)]
    for uid in users:
        events.told(cluster, uid, "connected")
    cluster.comets[0].kill9()
    cluster.jobs[0].kill9()
    for n, uid in enumerate(users):
        if n % 2 == 0:
            assert events.told(cluster, uid, "connected disconnected", 60)[1]["data"]["reason"] == "comet_lost"
    for n, client in enumerate(clients):
        client.close()
        if n % 2 == 1:
            assert events.told(cluster, users[n], "connected disconnected")[1]["data"]["reason"] == "client"
    assert events.balance(events.firsts(events.events(cluster))) == (set(), set())


def test_a_comet_dies_while_the_log_never_rests(make, uids):
    """Kafka tells of the end of a partition only when it has nothing for a fetch, and here it always has."""
    one = {f"IMC_{kind}_BUS_PARTITIONS": "1" for kind in ("LOGIC", "JOB")}
    cluster = make("connected, disconnected, joined, left", {**one, "IMC_JOB_BUS_FETCH_WAIT": "3s"}, comets=2)
    users = uids(12)
    people = [event_crowd.Person(cluster, uid, "plain", str(uid)) for uid in users]
    for person in people:
        person.calm.set()
        person.start()
    try:
        wait_for(lambda: cluster.sum("job", "imc_job_events_open") == 12, 20, "all to be in the log")
        cluster.jobs[0].kill9()
        cluster.jobs[0].start()
        wait_for(cluster.jobs[0].ready, what="the job to be back")
        cluster.comets[1].kill9()
        cluster.comets[1].start()
        wait_for(lambda: cluster.sum("job", "imc_job_events_lost_total") > 0, 20, "the ends of who was on it", 0.3)
        wait_for(lambda: len(event_books.Books(cluster, users).open()) == 12, 20, "everybody to have one session", 0.5)
    finally:
        for person in people:
            person.end.set()
        for person in people:
            person.join()


def test_a_comet_that_was_taken_for_dead_comes_back(make, uid):
    """Its session has ended and come again, as another one."""
    cluster = make()
    with session(cluster, uid) as client:
        first = events.told(cluster, uid, "connected")[0]["data"]["session"]
        cluster.comets[0].pause()
        assert events.told(cluster, uid, "connected disconnected")[1]["data"]["reason"] == "comet_lost"
        cluster.comets[0].resume()
        again = events.told(cluster, uid, "connected disconnected connected")[2]["data"]
        assert again["again"] is True and again["session"] != first and again["address"] == "127.0.0.1"
        cluster.api.push(uid, "it lives")
        assert client.push() == b"it lives"
    end = events.told(cluster, uid, "connected disconnected connected disconnected")[3]["data"]
    assert end["session"] == again["session"] and end["reason"] == "client"
    assert end["durationms"] > 1500  # since it was opened first


def test_kafka_is_away(make, bus, uids):
    """Nobody is let in whom the log would not have; who leaves is told of when Kafka is back."""
    cluster = make()
    stays, leaves, comes = uids(3)
    token = cluster.api.token(comes)
    with session(cluster, stays):
        client = session(cluster, leaves)
        events.told(cluster, leaves, "connected")
        bus.pause()
        with imgo.TcpClient(cluster.comets[0].tcp) as refused:
            refused.send_auth(token, 1)
            refused.kicked(12, 30)
        client.close()
        wait_for(lambda: cluster.sum("comet", "imc_comet_events_waiting") > 0, what="the end to wait")
        bus.resume()
        end = events.told(cluster, leaves, "connected disconnected", 60)[1]["data"]
        assert end["reason"] == "client"
        wait_for(lambda: cluster.sum("comet", "imc_comet_events_waiting") == 0, what="everything to be said")
        wait_for(cluster.logics[0].ready, what="the logic to be ready")
        with session(cluster, comes):
            wait_for(lambda: events.of_uid(cluster, comes)[-1:] and
                     events.kind(events.of_uid(cluster, comes)[-1]) == "connected", 30, "its connected", 0.3)
        found = events.firsts(events.events(cluster))
        refused = [event for event in found if event["subject"] == str(comes) and "refused" == event["data"].get("reason")]
        assert len(refused) <= 2
    wait_for(lambda: events.balance(events.firsts(events.events(cluster))) == (set(), set()), 30, "the books", 0.3)


def test_a_job_takes_over_what_was_told(make, uids):
    """What an earlier owner told is not told again, but for what came since its last commit; ends are not missed."""
    cluster = make(jobs=2)
    users = uids(20)
    clients = [session(cluster, uid) for uid in users]
    for client in clients[:10]:
        client.close()
    for n, uid in enumerate(users):
        events.told(cluster, uid, "connected disconnected" if n < 10 else "connected")
    cluster.jobs[0].kill9()
    for client in clients[10:]:
        client.close()
    for uid in users:
        events.told(cluster, uid, "connected disconnected", 60)
    cluster.jobs[0].start()
    wait_for(cluster.jobs[0].ready, what="the job to be back")
    assert cluster.jobs[1].term() == 0
    with session(cluster, users[0]):
        events.told(cluster, users[0], "connected disconnected connected", 60)
    events.told(cluster, users[0], "connected disconnected connected disconnected", 60)
    # What is over is deleted from the log: the last word on each session has no value.
    last = {one["key"]: one["value"] for one in events.read(cluster.bus, cluster.events.removesuffix("-events") + "-sessions")}
    wait_for(lambda: set({one["key"]: one["value"] for one in events.read(
        cluster.bus, cluster.events.removesuffix("-events") + "-sessions")}.values()) == {None}, 30, lambda: last, 0.5)
