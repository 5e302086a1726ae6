"""What a client sends to the business by webhook (upstream.url): answered when the business has, in order, with its reply."""
import base64
import os
import subprocess
import threading

import pytest

import certificates
import cluster as cluster_module
import goim
import imgo
import webhook
from cluster import BUILD, wait_for
from upstream import send, session

MANY = 600


@pytest.fixture(scope="module")
def made(bus, tmp_path_factory):
    receiver = webhook.Receiver(webhook.key())
    env = {"IMC_LOGIC_UPSTREAM_URL": receiver.url(), "IMC_LOGIC_UPSTREAM_URL_TIMEOUT": "1s",
           "IMC_LOGIC_UPSTREAM_URL_RETRY": "500ms", "IMC_COMET_COMET_WORKERS": "2", "IMC_LOGIC_AUTH_TRUST_MID": "yes",
           "IMC_COMET_UPSTREAM_TIMEOUT": "6s", "IMC_COMET_SESSION_FRAMES_PER_SECOND": "0",
           "IMC_LOGIC_UPSTREAM_URL_SECRET_FILE":
               webhook.key_file(tmp_path_factory.mktemp("hook") / "keys", receiver.secret)}
    cluster = cluster_module.Cluster(bus, logics=2, env=env).wait_ready()
    yield cluster, receiver
    cluster.stop()
    receiver.stop()


@pytest.fixture
def cluster(made):
    made[1].answer = lambda events: 204
    yield made[0]
    made[1].answer = lambda events: 204


@pytest.fixture
def receiver(made):
    return made[1]


def body_of(event):
    return base64.b64decode(event["data_base64"]) if "data_base64" in event else event["data"]


def firsts(found):
    """FOUND without what came before."""
    return list({event["id"]: event for event in found}.values())


def why(cluster):
    return " ".join(logic.get("/readyz")[1] for logic in cluster.logics)


def replies(events, reply):
    """An answer with a reply to each of EVENTS."""
    return 200, {"replies": [{"id": event["id"], **reply(event)} for event in events]}


def test_an_event(cluster, receiver, uid):
    with session(cluster, uid, room="lobby") as client:
        got = send(client, b"\x00\xffhello")
        assert (got.op, got.seq, got.body) == (5, 9, b"")
    (event,) = receiver.of_uid(uid)
    assert event.pop("time").endswith("Z")
    assert event.pop("id").startswith("1.") and event["source"] == "/imc/comet/1"
    assert event == {"specversion": "1.0", "type": "io.imc.upstream.v1", "source": "/imc/comet/1", "subject": str(uid),
                     "operation": 4, "room": "lobby", "address": "127.0.0.1",
                     "datacontenttype": "application/octet-stream", "data_base64": "AP9oZWxsbw=="}


@pytest.mark.parametrize("text, data", (('{"a": 1 , "b":[ ]}', {"a": 1, "b": []}), ("[1,2.50]", [1, 2.5]), ("true", True)))
def test_a_json_body(cluster, receiver, uid, text, data):
    with session(cluster, uid, imgo.WsClient) as client:
        client.sock.sendall(imgo.ws_frame(1, b'{"op":4, "body" : ' + text.encode() + b' ,"seq":9}'))
        assert client.recv() == imgo.Frame(0, 5, 9, {})
    (event,) = receiver.of_uid(uid)
    assert (event["data"], event["datacontenttype"]) == (data, "application/json")


@pytest.mark.parametrize("kind", (goim.TcpClient, goim.WsClient))
def test_goim(cluster, receiver, uid, kind):
    receiver.answer = lambda events: replies(events, lambda event: {"reply": f"op {event['operation']}"})
    with session(cluster, uid, kind) as client:
        got = send(client, b"body", op=99)
        assert (got.op, got.seq, got.body) == (99, 9, b"op 99")
    (event,) = receiver.of_uid(uid)
    assert (event["operation"], event["devicekey"], body_of(event)) == (99, "phone-7", b"body")


REPLIES = (({"reply": "text"}, b"text", "text"), ({"reply": {"a": [1, 2.5]}}, b'{"a": [1, 2.5]}', {"a": [1, 2.5]}),
           ({"reply": 7}, b"7", 7), ({"reply": None}, b"", {}), ({"reply_base64": "YWI="}, b"ab", "ab"), ({}, b"", {}))


@pytest.mark.parametrize("reply, tcp, json", REPLIES)
def test_the_reply_is_the_body_of_the_answer(cluster, receiver, uid, reply, tcp, json):
    receiver.answer = lambda events: replies(events, lambda event: reply)
    with session(cluster, uid) as client:
        assert send(client, b"?").body == tcp
    with session(cluster, uid, imgo.WsClient) as client:
        assert send(client, "?").body == json


def test_each_gets_his_own_reply(cluster, receiver, uids):
    receiver.answer = lambda events: replies(reversed(events), lambda event: {
        "reply": f"{event['subject']} {body_of(event).decode()}"})
    users = uids(20)
    clients = [session(cluster, uid) for uid in users]
    for client in clients:
        for number in range(10):
            client.send(4, b"%d" % number, number)
    for uid, client in zip(users, clients):
        for number in range(10):
            got = client.recv()
            assert (got.seq, got.body) == (number, f"{uid} {number}".encode())
        client.close()


def test_a_reply_at_the_limit(cluster, receiver, uid):
    """upstream.max_reply is 16k. A longer one is left out; the client is answered all the same."""
    long = "x" * 16384
    for reply, body in ((long, long.encode()), (long + "y", b"")):
        receiver.answer = lambda events, reply=reply: replies(events, lambda event: {"reply": reply})
        with session(cluster, uid) as client:
            assert send(client, b"?").body == body
    assert cluster.sum("logic", 'imc_logic_upstream_replies_total{result="bad"}') > 0


@pytest.mark.parametrize("answer", (b"<html>", b"[]", b"x" * (2 << 20), b'{"replies":[{"id":1}]}'))
def test_an_answer_that_cannot_be_read(cluster, receiver, uid, answer):
    """2xx is 2xx: the business has it."""
    before = cluster.sum("logic", 'imc_logic_upstream_replies_total{result="bad"}')
    receiver.answer = lambda events: (200, answer)
    with session(cluster, uid) as client:
        assert send(client, b"?").body == b""
    assert cluster.sum("logic", 'imc_logic_upstream_replies_total{result="bad"}') > before
    assert len(receiver.of_uid(uid)) == 1


def test_large_replies_to_many(cluster, receiver, uids):
    """More than a reply of logic to comet may hold: what has no room is posted again, and answered then."""
    large = "x" * 16000
    receiver.answer = lambda events: replies(events, lambda event: {"reply": large})
    clients = [session(cluster, uid) for uid in uids(20)]
    for client in clients:
        client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(16)))
    for client in clients:
        for number in range(16):
            got = client.recv(60)
            assert (got.seq, got.body) == (number, large.encode())
        client.close()


def test_many_in_order(cluster, receiver, uid):
    with session(cluster, uid) as client:
        client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(MANY)))
        assert [client.recv().seq for _ in range(MANY)] == list(range(MANY))
    assert [body_of(event) for event in firsts(receiver.of_uid(uid))] == [b"%d" % n for n in range(MANY)]


def test_in_order_though_it_fails_now_and_then(cluster, receiver, uids):
    count = [0]

    def answer(events):
        with receiver.lock:
            count[0] += 1
            return 503 if count[0] % 4 == 0 else 204

    receiver.answer = answer
    users = uids(5)
    clients = [session(cluster, uid) for uid in users]
    for client in clients:
        client.sock.sendall(b"".join(imgo.frame(4, b"%d" % n, n) for n in range(60)))
    for uid, client in zip(users, clients):
        assert [client.recv(60).seq for _ in range(60)] == list(range(60))
        client.close()
        assert [body_of(event) for event in firsts(receiver.of_uid(uid))] == [b"%d" % n for n in range(60)]


def test_not_answered_before_the_business_has(cluster, receiver, uid):
    asked, go_on = threading.Event(), threading.Event()

    def answer(events):
        asked.set()
        go_on.wait(20)
        return 204

    receiver.answer = answer
    with session(cluster, uid) as client:
        client.send(4, b"?", 1)
        assert asked.wait(20)
        client.nothing(0.3)
        cluster.api.push(uid, "meanwhile")
        assert client.push(2) == b"meanwhile"
        go_on.set()
        assert client.recv(20).seq == 1


def test_a_dead_business_is_told_to_the_client(cluster, receiver, uid):
    receiver.stop()
    try:
        with session(cluster, uid) as client:
            client.send(4, b"?", 1)
            wait_for(lambda: "upstream.url does not take events" in why(cluster), what="the condition")
            cluster.api.push(uid, "pushes go on")
            assert client.push(2) == b"pushes go on"
            assert "connect and send it again" in client.kicked(12, 30)
    finally:
        receiver.start()
    with session(cluster, uid) as client:
        client.send(4, b"again", 1)
        assert client.recv(20).seq == 1


@pytest.mark.parametrize("status, code, words", ((422, 3, "refuses"), (400, 3, "refuses"), (413, 4, "size")))
def test_what_the_business_refuses(cluster, receiver, uids, status, code, words):
    """It ends the session that sent it. Others in the same post are not held up."""
    bad, *good = uids(8)
    receiver.answer = lambda events: status if any(body_of(event) == b"bad" for event in events) else 204
    others = [session(cluster, uid) for uid in good]
    client = session(cluster, bad)
    client.send(4, b"fine", 1)
    assert client.recv(10).seq == 1
    client.send(4, b"bad", 2)
    for number, other in enumerate(others):
        other.send(4, b"good", number)
    for number, other in enumerate(others):
        assert other.recv(10).seq == number
        other.close()
    assert words in client.kicked(code, 10)


def test_gone_disables_until_sighup(cluster, receiver, uid):
    receiver.answer = lambda events: 410
    with session(cluster, uid) as client:
        client.send(4, b"?", 1)
        wait_for(lambda: cluster.sum("logic", "imc_logic_webhook_disabled") > 0, what="it to be disabled")
        receiver.answer = lambda events: 204
        for logic in cluster.logics:
            certificates.hang_up(logic)
        assert client.recv(20).seq == 1
    assert cluster.sum("logic", "imc_logic_webhook_disabled") == 0


def test_both_are_refused_at_the_start():
    env = {"IMC_LOGIC_UPSTREAM_URL": "https://a.example/", "IMC_LOGIC_UPSTREAM_TOPIC": "t"}

    def check():
        done = subprocess.run([BUILD / "logic" / "imc-logic", "--check"], env={**os.environ, **env}, capture_output=True,
                              text=True, check=False)
        assert done.returncode != 0
        return done.stderr

    assert "upstream.url_secret_file" in check()
    env["IMC_LOGIC_UPSTREAM_URL_SECRET_FILE"] = "/nowhere"
    assert "exclude each other" in check()
