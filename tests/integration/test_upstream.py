"""What a client sends to the business is on upstream.topic before it is answered, in order, as a CloudEvent."""
import concurrent.futures
import datetime
import json

import pytest

import cluster as cluster_module
import goim
import imgo
import upstream
from cluster import wait_for
from upstream import send, session

MANY = 900


@pytest.fixture(scope="module")
def cluster(bus):
    env, topic = upstream.settings(bus, IMC_LOGIC_AUTH_TRUST_MID="yes")
    cluster = cluster_module.Cluster(bus, env=env)
    cluster.upstream = topic
    yield cluster.wait_ready()
    cluster.stop()


def test_headers(cluster, uid):
    before = datetime.datetime.now(datetime.timezone.utc)
    with session(cluster, uid, room="lobby") as client:
        got = send(client, b"\x00\xffhello")
        address = client.sock.getsockname()[0]
    assert (got.op, got.seq, got.body) == (5, 9, b"")
    (event,) = upstream.of_uid(cluster, uid)
    headers = dict(event.headers)
    when = datetime.datetime.fromisoformat(headers.pop("ce_time").replace("Z", "+00:00"))
    assert before - datetime.timedelta(seconds=1) < when < datetime.datetime.now(datetime.timezone.utc)
    comet, epoch, handle, number = headers.pop("ce_id").split(".")
    assert comet == "1" and int(epoch, 16) > 0 and int(handle, 16) > 0 and number == "1"
    assert headers == {
        "ce_specversion": "1.0", "ce_source": "/imc/comet/1", "ce_type": "io.imc.upstream.v1", "ce_subject": str(uid),
        "content-type": "application/octet-stream", "ce_operation": "4", "ce_room": "lobby", "ce_address": address}
    assert event.value == b"\x00\xffhello"


@pytest.mark.parametrize("kind", (goim.TcpClient, goim.WsClient))
@pytest.mark.parametrize("op", (4, 99, -7, 2000000000))
def test_goim(cluster, uid, kind, op):
    with session(cluster, uid, kind) as client:
        got = send(client, b"body", op=op)
        assert (got.op, got.seq, got.body) == (op, 9, b"")
        client.ask(12, b"room-2")
        send(client, b"", op=op)
    first, second = upstream.of_uid(cluster, uid)
    assert first.headers["ce_operation"] == second.headers["ce_operation"] == str(op)
    assert first.headers["ce_devicekey"] == "phone-7"
    assert "ce_room" not in first.headers and second.headers["ce_room"] == "room-2"
    assert (first.value, second.value) == (b"body", b"")
    assert first.headers["ce_id"].rsplit(".", 1)[0] == second.headers["ce_id"].rsplit(".", 1)[0]
    assert second.headers["ce_id"].endswith(".2")


BODIES = (('{"a": 1 , "b":[ ]}', b'{"a": 1 , "b":[ ]}', "json"), ('[1,2.50]', b"[1,2.50]", "json"),
          ("12345678901234567890123", b"12345678901234567890123", "json"), ("true", b"true", "json"),
          ('"t\\u00e9xt\\n"', "t\u00e9xt\n".encode(), "octet-stream"), ('""', b"", "octet-stream"),
          ("null", b"", "octet-stream"))


@pytest.mark.parametrize("text, value, kind", BODIES)
def test_json_bodies(cluster, uid, text, value, kind):
    """A string arrives as its text, as over TCP; any other value byte for byte."""
    with session(cluster, uid, imgo.WsClient) as client:
        client.sock.sendall(imgo.ws_frame(1, b'{"op":4, "body" : ' + text.encode() + b' ,"seq":9}'))
        assert client.recv() == imgo.Frame(0, 5, 9, {})
    (event,) = upstream.of_uid(cluster, uid)
    assert event.value == value
    assert event.headers["content-type"] == f"application/{kind}"


def test_json_name_is_read_as_json_has_it(cluster, uid):
    with session(cluster, uid, imgo.WsClient) as client:
        client.sock.sendall(imgo.ws_frame(1, b'{"body":[1],"x":{"body":2},"b\\u006fdy":[3],"op":4,"seq":9}'))
        assert client.recv().seq == 9
    assert upstream.values(cluster, uid) == [b"[3]"]


def test_body_nested_too_deep(cluster, uid):
    deep = b"[" * 600 + b"]" * 600
    with session(cluster, uid, imgo.WsClient) as client:
        client.sock.sendall(imgo.ws_frame(1, b'{"op":4,"body":' + deep + b"}"))
        assert "deep" in client.kicked(3)
    assert upstream.values(cluster, uid) == []


@pytest.mark.parametrize("kind", (imgo.TcpClient, imgo.WsClient, goim.TcpClient, goim.WsClient))
def test_longest_body(cluster, uid, kind):
    body = b"x" * 4096
    with session(cluster, uid, kind) as client:
        assert send(client, body).seq == 9
        client.send(4, body + b"y")
        client.kicked(4)
    assert upstream.values(cluster, uid) == [body]


def test_json_value_too_long(cluster, uid):
    with session(cluster, uid, imgo.WsClient) as client:
        client.send_json({"op": 4, "body": ["x" * 4093]})
        client.kicked(4)
    assert upstream.values(cluster, uid) == []


@pytest.mark.parametrize("kind", (imgo.TcpClient, imgo.WsClient, goim.TcpClient, goim.WsClient))
def test_many_at_once(cluster, uid, kind):
    """Many more than upstream.window, with the auth fewer than session.frames_burst: none is dropped, all are in order,
    and so are the answers."""
    with session(cluster, uid, kind) as client:
        if kind in (imgo.TcpClient, goim.TcpClient):
            client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(MANY)))
        else:
            for n in range(MANY):
                client.send(4, b"%d" % n, n)
        assert [client.recv().seq for _ in range(MANY)] == list(range(MANY))
    found = upstream.of_uid(cluster, uid)
    assert [one.value for one in found] == [b"%d" % n for n in range(MANY)]
    assert [int(one.headers["ce_id"].rsplit(".", 1)[1]) for one in found] == list(range(1, MANY + 1))


def test_hundred_sessions(cluster, uids):
    users = uids(100)

    def talk(uid):
        with session(cluster, uid, imgo.WsClient if uid % 2 else imgo.TcpClient) as client:
            for n in range(50):
                client.send(4, b"%d:%d" % (uid, n), n)
            assert [client.recv().seq for _ in range(50)] == list(range(50))

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, users))
    found = upstream.events(cluster)
    for uid in users:
        assert [one.value for one in found if one.key == str(uid).encode()] == [b"%d:%d" % (uid, n) for n in range(50)]
    wait_for(lambda: cluster.sum("comet", "imc_comet_upstream_waiting") == 0, what="nothing to wait any more")


def test_leaving_at_once(cluster, uid):
    """What a client sent before it left is on the topic, without an answer."""
    client = session(cluster, uid)
    client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(10)))
    client.close()
    wait_for(lambda: upstream.values(cluster, uid) == [b"%d" % n for n in range(10)], what="what was sent")


def test_bad_frames_are_no_events(cluster, uid):
    with session(cluster, uid, imgo.WsClient) as client:
        client.sock.sendall(imgo.ws_frame(1, b'{"op":4,"body":[}'))
        client.kicked(3)
    with session(cluster, uid) as client:
        client.send(4, b"x", header=15)
        client.kicked(3)
    assert upstream.values(cluster, uid) == []


def test_off(shared, uid):
    """Without upstream.topic such frames are counted and answered."""
    before = shared.sum("comet", "imc_comet_upstream_unhandled_total")
    with session(shared, uid) as client:
        assert send(client, b"to nobody").op == 5
    assert shared.sum("comet", "imc_comet_upstream_unhandled_total") == before + 1
    page = json.dumps(shared.logics[0].get("/readyz")[1])
    assert "upstream" not in page
