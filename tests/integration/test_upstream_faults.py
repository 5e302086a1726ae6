"""Kafka, a logic or a comet is away while clients send to the business: what was answered is there, in order."""
import threading
import time

import pytest

import imgo
import upstream
from cluster import SLOW, wait_for
from traffic import QUICK


@pytest.fixture
def make(bus, make_cluster):
    if bus.kind != "kafka":
        pytest.skip("the devbus cannot be frozen, and knows no missing topic")

    def with_upstream(topic_there=True, **kwargs):
        env, topic = upstream.settings(bus, topic_there)
        env["IMC_COMET_SESSION_FRAMES_PER_SECOND"] = "0"  # they send as fast as it goes
        cluster = make_cluster(**{**kwargs, "env": {**QUICK, **env, **kwargs.get("env", {})}})
        cluster.upstream = topic
        return cluster

    yield with_upstream
    bus.resume()


def session(cluster, uid, comet=0):
    return imgo.TcpClient(cluster.comets[comet].tcp).auth(cluster.api.token(uid))


class Talker(threading.Thread):
    """Sends numbers as fast as it is answered, in a thread, until it is stopped or its connection ends."""

    def __init__(self, client, ahead=8):
        super().__init__()
        self.client, self.ahead = client, ahead
        self.sent = self.answered = 0
        self.stopping = False
        self.failure = None
        self.start()

    def run(self):
        try:
            while not self.stopping or self.answered < self.sent:
                while self.sent < self.answered + self.ahead and not self.stopping:
                    self.client.send(4, b"%d" % self.sent, self.sent)
                    self.sent += 1
                got = self.client.recv(60 * SLOW)
                assert (got.op, got.seq) == (5, self.answered), got
                self.answered += 1
        except (imgo.Closed, OSError) as end:
            self.failure = end

    def go_on(self, n):
        want = self.answered + n
        wait_for(lambda: self.answered >= want or self.failure, 60, f"{n} answers more")

    def stop(self):
        self.stopping = True
        self.join()


def put_off(cluster):
    return cluster.sum("logic", 'imc_logic_upstream_total{result="put_off"}')


def check(cluster, uid, talker):
    """Everything that was answered is there, in order."""
    found = [int(one.value) for one in upstream.firsts(upstream.of_uid(cluster, uid))]
    assert found == list(range(len(found)))
    assert talker.answered <= len(found) <= talker.sent
    return found


def test_kafka_frozen_and_back(make, bus, uid):
    cluster = make(env={"IMC_LOGIC_BUS_TIMEOUT": "1s"})
    with session(cluster, uid) as client:
        talker = Talker(client, ahead=100)
        talker.go_on(50)
        bus.pause()
        wait_for(lambda: cluster.sum("comet", "imc_comet_upstream_again_total") > 0, 20, "logic to give up")
        before = talker.answered
        wait_for(lambda: put_off(cluster) > 3, 20, "another producer to find no Kafka")
        assert talker.answered == before
        assert cluster.sum("comet", "imc_comet_upstream_held") == 1
        assert "upstream: " in cluster.logics[0].get("/readyz")[1]
        bus.resume()
        talker.go_on(200)
        talker.stop()
        assert talker.failure is None
        check(cluster, uid, talker)
    wait_for(lambda: cluster.sum("comet", "imc_comet_upstream_waiting") == 0, what="nothing to wait")
    assert cluster.sum("comet", "imc_comet_upstream_total") == talker.sent


def test_kafka_away_for_too_long(make, bus, uid):
    cluster = make(env={"IMC_LOGIC_BUS_TIMEOUT": "1s", "IMC_COMET_UPSTREAM_TIMEOUT": "3s",
                        "IMC_COMET_CONN_HEARTBEAT": "1s"})
    with session(cluster, uid) as client:
        bus.pause()
        begin = time.monotonic()
        client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(100)))
        assert "Kafka" in client.kicked(12)  # and not 11: it cannot beat while it waits
        assert time.monotonic() - begin > 2.9
    bus.resume()
    assert cluster.sum("comet", "imc_comet_upstream_timeouts_total") == 1
    with session(cluster, uid) as client:
        client.send(4, b"again", 1)
        assert client.recv().seq == 1
    assert upstream.values(cluster, uid)[-1] == b"again"


def test_logics_killed_under_way(make, uids):
    cluster = make(logics=2, comets=2)
    users = uids(6)
    clients = [session(cluster, uid, n % 2) for n, uid in enumerate(users)]
    talkers = [Talker(client) for client in clients]
    for logic in (0, 1):
        talkers[0].go_on(100)
        cluster.logics[logic].kill9()
        for talker in talkers:
            talker.go_on(50)
        cluster.logics[logic].start()
        wait_for(cluster.logics[logic].ready, what="the logic to be back")
    for uid, talker, client in zip(users, talkers, clients):
        talker.stop()
        assert talker.failure is None
        assert len(check(cluster, uid, talker)) == talker.sent
        client.close()


def test_logic_frozen_under_way(make, uid):
    """It wakes up with frames that another one has produced meanwhile: they come twice, and one can see that."""
    cluster = make(logics=2)
    with session(cluster, uid) as client:
        talker = Talker(client)
        for logic in (0, 1, 0, 1):
            talker.go_on(30)
            cluster.logics[logic].pause()
            talker.go_on(30)
            cluster.logics[logic].resume()
            wait_for(cluster.logics[logic].ready, what="the logic to be back")
        talker.stop()
        assert talker.failure is None
        assert len(check(cluster, uid, talker)) == talker.sent


def test_logic_ends(make, uid):
    """SIGTERM: what it has taken is answered, the rest goes to the other one."""
    cluster = make(logics=2)
    with session(cluster, uid) as client:
        talker = Talker(client)
        talker.go_on(50)
        assert cluster.logics[0].term() == 0
        talker.go_on(50)
        talker.stop()
        assert talker.failure is None
        assert len(check(cluster, uid, talker)) == talker.sent


def test_comet_killed(make, uids):
    cluster = make(comets=2)
    users = uids(4)
    clients = [session(cluster, uid) for uid in users]
    talkers = [Talker(client) for client in clients]
    for talker in talkers:
        talker.go_on(50)
    cluster.comets[0].kill9()
    for uid, talker, client in zip(users, talkers, clients):
        talker.join()
        assert talker.failure is not None
        check(cluster, uid, talker)
        client.close()
        with session(cluster, uid, 1) as again:
            again.send(4, b"%d" % talker.answered, 1)
            assert again.recv().seq == 1


def test_comet_ends(make, uid):
    """SIGTERM: the session is told to go; what comet had read is produced before it ends."""
    cluster = make(comets=2)
    with session(cluster, uid) as client:
        talker = Talker(client)
        talker.go_on(50)
        assert cluster.comets[0].term(30) == 0
        talker.join()
        assert client.reason["code"] == 9
        check(cluster, uid, talker)


def test_topic_missing(make, bus, uid):
    cluster = make(topic_there=False, env={"IMC_COMET_UPSTREAM_TIMEOUT": "2s"})  # ready all the same
    page = wait_for(lambda: "is missing" in (page := cluster.logics[0].get("/readyz")[1]) and page, what="the condition")
    assert f"topic {cluster.upstream} is missing: create it" in page
    cluster.api.push(uid, "pushes do not need it")
    with session(cluster, uid) as client:
        client.push()
        client.send(4, b"lost", 1)
        assert "Kafka" in client.kicked(12)
    with session(cluster, uid) as client:
        client.send(4, b"patient", 1)
        bus.topic_tool("create", cluster.upstream, 2)
        assert client.recv().seq == 1
    assert upstream.values(cluster, uid) == [b"patient"]
    assert "upstream: ok" in wait_for(lambda: "upstream: ok" in (page := cluster.logics[0].get("/readyz")[1]) and page)


def test_topic_that_takes_little(make, bus, uid):
    """max.message.bytes below conn.max_body: what fits is taken, what does not ends the session."""
    cluster = make()
    bus.tool("ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", cluster.upstream, "--add-config",
             "max.message.bytes=2000", package="kafka.admin")
    with session(cluster, uid) as client:
        client.send(4, b"x" * 1000, 1)
        assert client.recv().seq == 1
        client.send(4, b"y" * 3000, 2)
        assert "size" in client.kicked(4)
        assert cluster.sum("logic", 'imc_logic_upstream_total{result="too_large"}') > 0
    with session(cluster, uid) as client:
        for n in range(30):
            client.send(4, b"z" * 1000, n)
        assert [client.recv().seq for _ in range(30)] == list(range(30))
    assert b"y" * 3000 not in upstream.values(cluster, uid)
