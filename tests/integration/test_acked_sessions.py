"""Acknowledged sessions: what is not acknowledged comes first at the next connect, in order, with the ids it had."""
import time

import goim
import imgo
import pytest

import cluster as module
from cluster import wait_for

KINDS = {"goim-tcp": (goim.TcpClient, "tcp"), "goim-ws": (goim.WsClient, "ws"), "json": (imgo.WsClient, "ws")}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def cluster(bus):
    made = module.Cluster(bus, env={"IMC_COMET_SESSION_ACK_WAIT": "500ms"})
    yield made.wait_ready()
    made.stop()


@pytest.fixture
def connected(cluster, kind):
    """connected(UID, key=…) is an acknowledged session; all end with the test."""
    made = []

    def connect(uid, comet=0, **fields):
        client, port = KINDS[kind]
        made.append(client(getattr(cluster.comets[comet], port)))
        return made[-1].auth_acked(cluster.api.token(uid), **fields)
    yield connect
    for client in made:
        client.close()


def pushed(cluster, uid, *bodies):
    for body in bodies:
        cluster.api.push(uid, body)


def got(client, n):
    return [client.acked_push() for _ in range(n)]


def count(cluster, name):
    return cluster.sum("comet", f"imc_comet_{name}_total")


def test_each_push_has_a_sequence_and_an_id(cluster, connected, uid):
    client = connected(uid)
    pushed(cluster, uid, "1", "2", "3")
    messages = got(client, 3)
    assert [(seq, body) for seq, _, body in messages] == [(1, "1"), (2, "2"), (3, "3")]
    ids = [id for _, id, _ in messages]
    assert ids == sorted(set(ids)) and ids[0] > 2 ** 40
    client.ack(3)
    client.close()
    wait_for(lambda: cluster.api.counts("server") == {} or cluster.mailbox(uid) == 0, 5, "the end of the session")
    assert cluster.mailbox(uid) == 0
    again = connected(uid)
    again.nothing()


def test_what_is_not_acknowledged_comes_first(cluster, connected, uid):
    client = connected(uid)
    pushed(cluster, uid, "1", "2", "3", "4")
    before = got(client, 4)
    client.ack(2)
    client.send(imgo.HEARTBEAT)
    assert client.recv().op == imgo.HEARTBEAT_REPLY
    client.reset()
    wait_for(lambda: cluster.mailbox(uid) == 2, 5, "what was not acknowledged to be stored")
    pushed(cluster, uid, "5")
    wait_for(lambda: cluster.mailbox(uid) == 3, 5, "what came later")
    again = connected(uid)
    pushed(cluster, uid, "6")
    messages = got(again, 4)
    assert [(seq, body) for seq, _, body in messages] == [(1, "3"), (2, "4"), (3, "5"), (4, "6")]
    assert [id for _, id, _ in messages[:2]] == [id for _, id, _ in before[2:]]
    again.ack(4)
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")


def test_a_client_that_takes_its_time_gets_nothing_twice(cluster, connected, uid):
    """Beyond session.ack_wait a message is in the mailbox, until it is acknowledged."""
    client = connected(uid)
    late = count(cluster, "acknowledged_late")
    pushed(cluster, uid, "1", "2")
    got(client, 2)
    wait_for(lambda: cluster.mailbox(uid) == 2, 5, "both to be stored")
    pushed(cluster, uid, "3")
    assert client.acked_push()[::2] == (3, "3")
    client.nothing(0.7)
    client.ack(3)
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
    assert count(cluster, "acknowledged_late") >= late + 2
    client.close()
    connected(uid).nothing()


def test_acknowledged_before_it_was_stored(cluster, connected, uid):
    """It was on its way to the mailbox when the client acknowledged it: it does not stay there."""
    client = connected(uid)
    for number in range(20):
        pushed(cluster, uid, str(number))
        assert client.acked_push()[::2] == (number + 1, str(number))
        time.sleep(0.5 + number * 0.002)
        client.ack(number + 1)
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
    client.nothing()


def test_room_messages_are_not_acknowledged(cluster, connected, uid):
    client = connected(uid, room_id="live://acks")
    cluster.api.push_room("live://acks", "hi")
    frame = client.recv()
    assert frame.seq == 0 and frame.id is None
    pushed(cluster, uid, "1")
    assert client.acked_push()[::2] == (1, "1")
    client.ack(1)


def test_bad_acknowledgements(cluster, connected, uid):
    client = connected(uid)
    repeated = cluster.sum("comet", 'imc_comet_bad_acknowledgements_total{why="repeated"}')
    unsent = cluster.sum("comet", 'imc_comet_bad_acknowledgements_total{why="unsent"}')
    pushed(cluster, uid, "1", "2")
    got(client, 2)
    client.ack(2, ver=2)
    reply = client.recv()
    assert (reply.op, reply.ver, reply.seq) == (imgo.ACK_REPLY, 2, 2)
    for seq in (2, 1, 0, -5):
        client.ack(seq, ver=2)
        assert client.recv().seq == 2  # what counts
    assert cluster.sum("comet", 'imc_comet_bad_acknowledgements_total{why="repeated"}') == repeated + 4
    client.ack(3)
    assert client.kicked(3) == "acknowledged sequence 3, the last one sent is 2"
    assert cluster.sum("comet", 'imc_comet_bad_acknowledgements_total{why="unsent"}') == unsent + 1


def test_hello_says_so(cluster, connected, uid, kind):
    client, port = KINDS[kind]
    with client(getattr(cluster.comets[0], port)) as made:
        made.send_object({"token": cluster.api.token(uid), "ack": True, "hello": True}, 1)
        body = made.recv().body
        assert '"ack":true' in (body.decode() if isinstance(body, bytes) else __import__("json").dumps(body).replace(" ", ""))


def test_two_devices(cluster, connected, uid):
    """Each gets what it has not acknowledged, whatever the other does."""
    one, two = connected(uid, key="one"), connected(uid, key="two")
    pushed(cluster, uid, "1", "2")
    assert [body for _, _, body in got(one, 2)] == ["1", "2"]
    assert [body for _, _, body in got(two, 2)] == ["1", "2"]
    one.ack(2)
    two.reset()
    wait_for(lambda: not two_is_there(cluster, uid), 5, "the second to be gone")
    assert cluster.mailbox(uid) == 2
    again = connected(uid, key="two")
    assert [body for _, _, body in got(again, 2)] == ["1", "2"]
    again.ack(2)
    wait_for(lambda: cluster.mailbox(uid) == 0, 20, "the mailbox to be empty")
    one.nothing()


def two_is_there(cluster, uid):
    return sum(cluster.api.counts("server").values()) > 1
