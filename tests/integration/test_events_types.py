"""Events of rooms; disconnected only for those who stay away; and events.window."""
import pytest

import events
import goim
import imgo
from cluster import Cluster, wait_for
from traffic import QUICK

JOIN, LEAVE, CHANGE = 20, 22, 12
AWAY_S = 2


def make(bus, **env):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    more, topic = events.settings(bus, **env)
    made = Cluster(bus, env={**QUICK, **more})
    made.events = topic
    return made


@pytest.fixture(scope="module")
def rooms(bus):
    cluster = make(bus, types=" connected, joined,left ,disconnected").wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def patient(bus):
    cluster = make(bus, IMC_JOB_EVENTS_DEBOUNCE=f"{AWAY_S}s").wait_ready()
    yield cluster
    cluster.stop()


def session(cluster, uid, **token):
    return imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid, **token))


def ask(client, op, names):
    client.send(op, names.encode(), 9)
    assert client.recv_op(op + 1).seq == 9


def moves(found):
    return [(events.kind(event), event["data"].get("room")) for event in found]


def test_rooms_are_joined_and_left(rooms, uid):
    with session(rooms, uid, room=f"{uid}-a", rooms=f"{uid}-b") as client:
        ask(client, JOIN, f"{uid}-c,{uid}-a,{uid}-b")
        events.told(rooms, uid, "connected joined joined")
        ask(client, LEAVE, f"{uid}-b,{uid}-d")
        rooms.api.call("POST", "/1/room/join", uid=uid, room=f"{uid}-e")
        events.told(rooms, uid, "connected joined joined left joined")
    got = events.told(rooms, uid, "connected joined joined left joined disconnected")
    assert moves(got) == [("connected", f"{uid}-a"), ("joined", f"{uid}-b"), ("joined", f"{uid}-c"), ("left", f"{uid}-b"),
                          ("joined", f"{uid}-e"), ("disconnected", None)]
    joined = got[1]
    assert joined["type"] == "io.imc.room.joined.v1" and joined["source"] == "/imc/comet/1"
    assert joined["data"]["session"] == got[0]["data"]["session"] and joined["id"].startswith(joined["data"]["session"])
    assert got[0]["time"] <= joined["time"] <= got[-1]["time"]


def test_the_main_room_is_changed(rooms, uid):
    client = goim.TcpClient(rooms.comets[0].tcp)
    client.auth(token=rooms.api.token(uid), room_id="x://1")
    for room, kinds in ("x://2", "connected left joined"), ("", "connected left joined left"):
        client.send(CHANGE, room.encode(), 1)
        client.recv_op(CHANGE + 1)
        events.told(rooms, uid, kinds)
    client.close()
    got = events.told(rooms, uid, "connected left joined left disconnected")
    assert [room for _, room in moves(got)] == ["x://1", "x://1", "x://2", "x://2", None]


def test_who_comes_back_soon_was_never_away(patient, uid):
    session(patient, uid).close()
    former = events.told(patient, uid, "connected")[0]
    with session(patient, uid):
        again = events.told(patient, uid, "connected connected")[1]
        assert again["data"]["replaces"] == [former["data"]["session"]]
        assert again["data"]["session"] != former["data"]["session"]
        wait_for(lambda: patient.sum("job", "imc_job_events_absent") == 0, what="nobody to be away")
    end = events.told(patient, uid, "connected connected disconnected")[2]["data"]
    assert end["session"] == again["data"]["session"] and end["reason"] == "client"
    assert events.balance(events.of_uid(patient, uid)) == (set(), set())


def test_who_stays_away_is_told_when_the_job_has_died(patient, uid):
    """The end waits in the log, so another job tells it, no sooner than it is due."""
    session(patient, uid).close()
    events.told(patient, uid, "connected")
    wait_for(lambda: patient.sum("job", "imc_job_events_absent") == 1, what="the session to be away")
    patient.jobs[0].kill9()
    patient.jobs[0].start()
    end = events.told(patient, uid, "connected disconnected", 60)[1]
    assert end["data"]["reason"] == "client"
    assert events.firsts(events.events(patient))  # in order
    with session(patient, uid):
        assert "replaces" not in events.told(patient, uid, "connected disconnected connected")[2]["data"]


def test_events_wait_in_the_log_while_there_is_no_topic(bus, uids):
    """events.window is all that the job has of them in memory."""
    cluster = make(bus, create=False, IMC_JOB_EVENTS_WINDOW="100")
    try:
        for daemon in (*cluster.routers, *cluster.logics, *cluster.comets):
            wait_for(daemon.ready, what=f"{daemon} to be ready")
        users = uids(80)
        for uid in users:
            session(cluster, uid).close()
        wait_for(lambda: cluster.sum("comet", "imc_comet_events_waiting") == 0, what="all ends to be said")
        wait_for(lambda: cluster.sum("job", "imc_job_events_waiting") == 100, what="the window to be full")
        bus.topic_tool("create", cluster.events, 4)
        wait_for(lambda: len(events.firsts(events.events(cluster))) == 160, 60, "all events", 0.5)
        assert events.balance(events.firsts(events.events(cluster))) == (set(), set())
    finally:
        cluster.stop()
