"""Session events on a topic of the business: what they tell, and that every connected has its disconnected."""
import pytest

import events
import imgo
from cluster import Cluster, wait_for
from traffic import QUICK


@pytest.fixture(scope="module")
def cluster(bus):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    env, topic = events.settings(bus, IMC_COMET_CONN_HEARTBEAT="6s")
    made = Cluster(bus, comets=2, env={**QUICK, **env})
    made.events = topic
    yield made.wait_ready()
    made.stop()


def session(cluster, uid, comet=0, **token):
    return imgo.TcpClient(cluster.comets[comet].tcp).auth(cluster.api.token(uid, **token))


def test_what_they_tell(cluster, uid):
    with session(cluster, uid, room=7):
        came = events.told(cluster, uid, "connected")[0]
        data = came["data"]
        assert came["specversion"] == "1.0" and came["datacontenttype"] == "application/json"
        assert came["type"] == "io.imc.session.connected.v1" and came["source"] == "/imc/comet/1"
        assert came["id"] == data["session"] + ".connected" and data["session"].startswith("1.")
        assert data["comet"] == "1" and data["address"] == "127.0.0.1" and data["room"] == "7"
        assert "again" not in data and "reason" not in data
    left = events.told(cluster, uid, "connected disconnected")[1]
    assert left["data"]["session"] == data["session"] and left["data"]["reason"] == "client"
    assert 0 < left["data"]["durationms"] < 20000 and "code" not in left["data"]
    assert left["time"] >= came["time"]


def test_why_imc_ended_it(cluster, uid):
    client = session(cluster, uid)
    client.kicked(11)
    end = events.told(cluster, uid, "connected disconnected")[1]["data"]
    assert (end["reason"], end["code"]) == ("heartbeat_missed", 11)
    assert 5900 < end["durationms"] < 20000


def test_each_session_by_itself(cluster, uid):
    first, second = session(cluster, uid), session(cluster, uid, 1)
    events.told(cluster, uid, "connected connected")
    first.close()
    events.told(cluster, uid, "connected connected disconnected")
    second.close()
    got = events.told(cluster, uid, "connected connected disconnected disconnected")
    assert [event["data"]["comet"] for event in got] == ["1", "2", "1", "2"]


def test_who_is_not_let_in_has_no_events(cluster, uid):
    with imgo.TcpClient(cluster.comets[0].tcp) as client:
        client.send(7, b"no-such-token", 1)
        client.kicked(1)
    with session(cluster, uid):
        events.told(cluster, uid, "connected")
    assert events.balance(events.firsts(events.events(cluster)))[1] == set()
