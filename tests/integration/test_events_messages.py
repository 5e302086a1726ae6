"""Events of messages: stored for who is away, delivered, acknowledged, expired."""
import json
import time

import pytest

import events
import goim
import imgo
from cluster import Cluster, wait_for
from traffic import QUICK

ALL = "connected, disconnected, joined, left, stored, delivered, acknowledged, expired"


@pytest.fixture(scope="module")
def cluster(bus):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    env, topic = events.settings(bus, types=ALL, IMC_COMET_SESSION_ACK_WAIT="300ms")
    made = Cluster(bus, env={**QUICK, **env, "IMC_LOGIC_MAILBOX_LIMIT": "3"})
    made.events = topic
    yield made.wait_ready()
    made.stop()


def session(cluster, uid):
    return imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))


def acked(cluster, uid):
    return goim.TcpClient(cluster.comets[0].tcp).auth_acked(cluster.api.token(uid))


def push(cluster, uid, body="m", **more):
    """The message's id."""
    status, text, _ = cluster.api.request("POST", "/v1/push", json.dumps({"to": {"uids": [uid]}, "body": body, **more}),
                                          {"Content-Type": "application/json"})
    assert status == 202, text
    return json.loads(text)["messages"][0]["id"]


def ids(got, kind):
    return [event["data"]["message"] for event in got if events.kind(event) == kind]


def test_delivered_at_once(cluster, uid):
    with session(cluster, uid) as client:
        events.told(cluster, uid, "connected")
        sent = [push(cluster, uid, n) for n in range(3)]
        assert client.pushes(3)
        got = events.told(cluster, uid, "connected delivered delivered delivered")
    assert ids(got, "delivered") == sent
    assert got[1]["type"] == "io.imc.message.delivered.v1" and got[1]["source"] == "/imc/message"
    assert got[1]["id"] == f"{uid}.{sent[0]}.delivered" and got[1]["time"] >= got[0]["time"]


def test_stored_and_delivered_when_the_user_comes(cluster, uid):
    sent = push(cluster, uid)
    assert ids(events.told(cluster, uid, "stored"), "stored") == [sent]
    with session(cluster, uid) as client:
        assert client.push()
        got = events.told(cluster, uid, "stored connected delivered")
        assert ids(got, "delivered") == [sent]
        assert got[2]["data"]["session"] == got[1]["data"]["session"]


def test_acknowledged_in_time_and_later(cluster, uid):
    client = acked(cluster, uid)
    sent = [push(cluster, uid, "first")]
    seq, _, _ = client.acked_push()
    client.ack(seq)
    events.told(cluster, uid, "connected acknowledged")
    before = cluster.sum("job", "imc_job_settled_total")
    sent.append(push(cluster, uid, "second"))
    client.acked_push()
    # Nobody has acknowledged it in time: it is in the mailbox then, and its user is there.
    wait_for(lambda: cluster.sum("job", "imc_job_settled_total") > before, what="it to be stored")
    client.close()
    events.told(cluster, uid, "connected acknowledged disconnected")
    with acked(cluster, uid) as client:
        seq, _, text = client.acked_push()
        assert text == '"second"'
        client.ack(seq)
        got = events.told(cluster, uid, "connected acknowledged disconnected connected acknowledged")
    assert ids(got, "acknowledged") == sent
    assert got[4]["data"]["session"] == got[3]["data"]["session"]


def test_expired(cluster, uid):
    """By its ttl, though nobody looks into the mailbox, and by mailbox.limit."""
    short = push(cluster, uid, "short", ttl=2)
    got = events.told(cluster, uid, "stored expired")
    assert ids(got, "expired") == [short] and got[1]["data"]["reason"] == "ttl"
    sent = [push(cluster, uid, n) for n in range(3)]
    events.told(cluster, uid, "stored expired stored stored stored")
    sent.append(push(cluster, uid, 3))
    got = events.told(cluster, uid, "stored expired stored stored stored stored expired")
    assert ids(got, "expired") == [short, sent[0]] and got[-1]["data"]["reason"] == "limit"
    with session(cluster, uid) as client:
        assert client.pushes(3)
    wait_for(lambda: cluster.redis_cli("LLEN", "imc:facts") == "0", what="all facts to be in the log")
    assert int(cluster.redis_cli("TTL", f"imc:mb:{uid}")) < 0


def test_expired_before_its_comet_could_store_it(cluster, uid):
    """A session has it and does not acknowledge it; when it is to be stored, its time is over."""
    with acked(cluster, uid) as client:
        sent = push(cluster, uid, "short", ttl=1)
        client.acked_push()
        cluster.logics[0].pause()
        time.sleep(1.3)
        cluster.logics[0].resume()
        got = events.told(cluster, uid, "connected expired")
    assert ids(got, "expired") == [sent] and got[1]["data"]["reason"] == "ttl"
    cluster.wait_ready()


def test_users_leave_the_list_of_those_who_wait(cluster, uids):
    for uid in uids(3):
        push(cluster, uid, "short", ttl=1)
        events.told(cluster, uid, "stored expired")
        wait_for(lambda: cluster.redis_cli("ZSCORE", "imc:ends", str(uid)) == "", what="nothing to wait")
