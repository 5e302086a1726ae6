"""goim.logic.Logic: what goim's own comet calls, and what reaches its sessions by goim's job."""
import itertools
import json
import queue

import pytest

import cluster as cluster_module
import goim
import goim_rpc
import upstream
from cluster import wait_for
from goim_rpc import Refused, b64, raw, rpc

SERVICE = "goim.logic.Logic/"
SERVER = "goim-comet-1"
_next = itertools.count(88_000_000)


@pytest.fixture(scope="module")
def world(bus):
    """A cluster that takes sessions of goim's comets; .goim is such a comet, and .job goim's job."""
    env, topic = upstream.settings(bus, IMC_LOGIC_GOIM_COMETS="yes", IMC_LOGIC_AUTH_TRUST_MID="yes",
                                   IMC_LOGIC_SESSIONS_MAX_PER_UID="3")
    cluster = cluster_module.Cluster(bus, logics=2, env=env).wait_ready()
    cluster.upstream = topic
    cluster.goim_port = cluster_module.free_port()
    cluster.goim = goim_rpc.Goim(f"127.0.0.1:{cluster.goim_port}")
    cluster.job = goim_rpc.Job(cluster)
    yield cluster
    cluster.job.close()
    cluster.goim.close()
    cluster.stop()


@pytest.fixture
def mid():
    return next(_next)


def ask(world, method, request=None, logic=0, **more):
    return world.goim.call(rpc(world.logics[logic]), SERVICE + method, request, **more)


def connect(world, mid, server=SERVER, logic=0, **auth):
    return ask(world, "Connect", {"server": server, "token": b64(json.dumps({"mid": mid, **auth}).encode())}, logic)


def session(mid, key, server=SERVER):
    return {"mid": str(mid), "key": key, "server": server}


def delivered(world, wanted):
    """What goim's job does with the next message that WANTED takes: calls its comet. What that comet was asked."""
    message = world.job.next(wanted)
    kind = {0: "PushMsg", 1: "BroadcastRoom", 2: "Broadcast"}[message["type"]]
    request = {"proto": raw((message["operation"], message["msg"]))}
    if kind == "PushMsg":
        request.update(keys=message["keys"], protoOp=message["operation"])
    elif kind == "BroadcastRoom":
        request.update(roomID=message["room"])
    else:
        request.update(protoOp=message["operation"])
    world.goim.call(f"127.0.0.1:{world.goim_port}", f"goim.comet.Comet/{kind}", request)
    return world.goim.called.get(timeout=30)


def test_a_mid_connects(world, mid):
    key = f"key-{mid}"
    got = connect(world, mid, key=key, room_id="live://1", platform="web", accepts=[1000, 1001])
    assert got == {"mid": str(mid), "key": key, "roomID": "live://1", "accepts": [1000, 1001],
                   "heartbeat": str(8 * 60 * 10**9)}


def test_a_token_says_who_it_is(world, mid):
    token = world.api.token(mid, room="live://2", accepts="5,6")
    got = ask(world, "Connect", {"server": SERVER, "token": b64(json.dumps({"token": token}).encode())})
    assert (got["mid"], got["roomID"], got["accepts"]) == (str(mid), "live://2", [5, 6])
    assert got["key"].startswith(f"~{mid}~")


def test_a_disconnect_is_known_once(world, mid):
    key = connect(world, mid)["key"]
    assert ask(world, "Disconnect", session(mid, key), logic=1) == {"has": True}
    assert ask(world, "Disconnect", session(mid, key)) == {}


def test_a_key_that_moved_is_not_taken_away(world, mid):
    key = f"key-{mid}"
    connect(world, mid, key=key)
    connect(world, mid, "goim-comet-2", key=key)
    assert ask(world, "Disconnect", session(mid, key)) == {}
    assert ask(world, "Heartbeat", session(mid, key)) == {}
    assert ask(world, "Disconnect", session(mid, key, "goim-comet-2")) == {"has": True}


def test_a_heartbeat_of_an_unknown_session_makes_it_known(world, mid):
    assert ask(world, "Heartbeat", session(mid, f"key-{mid}")) == {}
    assert ask(world, "Disconnect", session(mid, f"key-{mid}")) == {"has": True}


def test_a_user_has_so_many_sessions(world, mid):
    for i in range(3):
        connect(world, mid, key=f"key-{mid}-{i}")
    with pytest.raises(Refused) as refused:
        connect(world, mid, key=f"key-{mid}-3")
    assert refused.value.code == "ResourceExhausted" and "sessions.max_per_uid" in refused.value.text
    connect(world, mid, key=f"key-{mid}-0")
    ask(world, "Disconnect", session(mid, f"key-{mid}-0"))
    connect(world, mid, key=f"key-{mid}-3")


def test_rooms_are_counted_together(world, mid):
    room = f"live://{mid}"
    two = {"server": SERVER, "roomCount": {room: 7, f"{room}-other": 1}}
    ask(world, "RenewOnline", two, gzip=True)
    got = ask(world, "RenewOnline", {"server": "goim-comet-2", "roomCount": {room: 5}}, logic=1, gzip=True)
    assert got == {"allRoomCount": {room: 12}}
    with goim.TcpClient(world.comets[0].tcp) as ours:
        ours.auth(mid=mid, room_id=room)
        wait_for(lambda: ours.online() == 13, what="the heartbeat to count all")
        wait_for(lambda: ask(world, "RenewOnline", two, gzip=True) == {"allRoomCount": {room: 13, f"{room}-other": 1}},
                 what="goim's comet to be told of ours")


def test_a_client_that_names_its_room_oddly_hinders_nobody(world, mid):
    """goim's comet lets a client into any room. Such rooms are told back as they came, and the others are counted."""
    room = f"live://{mid}"
    ask(world, "RenewOnline", {"server": "goim-comet-2", "roomCount": {room: 5}})
    rooms = {room: 2, "": 1, "r" * 129: 2, "a\n": 3, "a\0b": 4, "a": 1}
    got = ask(world, "RenewOnline", {"server": SERVER, "roomCount": rooms})
    assert got == {"allRoomCount": {**rooms, room: 7}}


def test_many_rooms(world, mid):
    rooms = {f"live://{mid}/{i}": i % 100 + 1 for i in range(20000)}
    got = ask(world, "RenewOnline", {"server": SERVER, "roomCount": rooms}, gzip=True)
    assert got == {"allRoomCount": rooms}


def test_a_push_reaches_the_session_by_goims_job(world, mid):
    keys = sorted(connect(world, mid, key=f"key-{mid}-{i}")["key"] for i in range(2))
    world.api.push(mid, "hello", op=1000)
    method, request = delivered(world, lambda message: message["msg"] == b"hello" and message["keys"])
    assert (method, sorted(request["keys"]), request["protoOp"]) == ("PushMsg", keys, 1000)
    assert request["proto"]["body"] == raw((1000, b"hello"))["body"]
    world.settled()
    assert world.mailbox(mid) == 0, "it waits for nobody"


def test_what_goes_to_a_comet_that_has_been_silent_waits_too(world, mid):
    """It may have ended: it would not have said so."""
    connect(world, mid, "goim-comet-gone", key=f"key-{mid}")
    world.redis_cli("DEL", "imc:goim:at:goim-comet-gone")  # as if a minute had passed
    world.api.push(mid, "kept", op=1000)
    assert delivered(world, lambda message: message["msg"] == b"kept" and message["keys"])[1]["keys"] == [f"key-{mid}"]
    wait_for(lambda: world.mailbox(mid) == 1, what="the message to wait")
    ask(world, "RenewOnline", {"server": "goim-comet-gone"})
    world.api.push(mid, "again", op=1000)
    world.job.next(lambda message: message["msg"] == b"again" and message["keys"])
    world.settled()
    assert world.mailbox(mid) == 1


def test_sessions_on_both_sides(world, mid):
    connect(world, mid, key=f"key-{mid}")
    with goim.TcpClient(world.comets[0].tcp) as ours:
        ours.auth(mid=mid)
        world.api.push(mid, "both", op=1000)
        assert ours.push() == (1000, b"both")
    method, request = delivered(world, lambda message: message["msg"] == b"both" and message["server"] == SERVER)
    assert (method, request["keys"]) == ("PushMsg", [f"key-{mid}"])


def test_each_of_goims_comets_gets_its_keys(world, mid):
    connect(world, mid, key=f"key-{mid}-1")
    connect(world, mid, "goim-comet-2", key=f"key-{mid}-2")
    world.api.push(mid, "each", op=1000)
    got = [world.job.next(lambda message: message["msg"] == b"each") for _ in range(2)]
    assert sorted((one["server"], one["keys"]) for one in got) == [
        (SERVER, [f"key-{mid}-1"]), ("goim-comet-2", [f"key-{mid}-2"])]


def test_who_has_left_is_away(world, mid):
    key = connect(world, mid)["key"]
    ask(world, "Disconnect", session(mid, key))
    world.api.push(mid, "later", op=1000)
    wait_for(lambda: world.mailbox(mid) == 1, what="the message to wait")


def test_rooms_and_all_are_for_goims_job_as_they_are(world, mid):
    world.api.push_room(f"live://{mid}", "room", op=1000)
    assert delivered(world, lambda message: message["msg"] == b"room")[1]["roomID"] == f"live://{mid}"
    world.api.ok("POST", "/1/push/all", "all", op=1001)
    assert delivered(world, lambda message: message["msg"] == b"all")[0] == "Broadcast"


def test_our_job_leaves_them_alone(world, mid):
    before = world.sum("job", "imc_job_foreign_total")
    connect(world, mid, key=f"key-{mid}")
    world.api.push(mid, "theirs", op=1000)
    wait_for(lambda: world.sum("job", "imc_job_foreign_total") > before, what="job to pass it over")
    assert "message skipped" not in world.jobs[0].log()


def test_what_clients_send_to_the_business_gets_there(world, mid):
    for body in (b"up", b""):
        assert ask(world, "Receive", {"mid": str(mid), "proto": goim_rpc.message(4, body)}) == {}
    found = upstream.of_uid(world, mid)
    assert [one.value for one in found] == [b"up", b""]
    assert len({one.headers["ce_id"] for one in found}) == 2
    assert found[0].headers["ce_source"] == "/imc/comet/goim"


def test_nodes(world):
    def nodes():
        return ask(world, "Nodes", {"platform": "android", "clientIP": "127.0.0.1"})
    got = wait_for(lambda: nodes() if nodes().get("nodes") else None, what="a comet to be named")
    assert got["heartbeat"] == 240 and got["heartbeatMax"] == 2 and got["backoff"]["baseDelay"] == 3, got


WRONG = {
    "no JSON": ("Connect", {"server": SERVER, "token": b64(b"x")}, "InvalidArgument", "auth: not JSON"),
    "no token at all": ("Connect", {"server": SERVER}, "InvalidArgument", "auth"),
    "an unknown token": ("Connect", {"server": SERVER, "token": b64(b'{"token":"none"}')}, "Unauthenticated", "unknown"),
    "no server": ("Connect", {"token": b64(b'{"mid":1}')}, "InvalidArgument", "server: not a name"),
    "a server of 129 bytes": ("Connect", {"server": "s" * 129, "token": b64(b'{"mid":1}')}, "InvalidArgument", "server:"),
    "a key of 129 bytes": ("Connect", {"server": SERVER, "token": b64(b'{"mid":1,"key":"%s"}' % (b"k" * 129))},
                           "InvalidArgument", "auth: key"),
    "no key to leave": ("Disconnect", {"mid": "1", "server": SERVER}, "InvalidArgument", "key: not a name"),
    "a key with a line feed": ("Heartbeat", {"mid": "1", "key": "a\n", "server": SERVER}, "InvalidArgument", "key:"),
    "nothing received": ("Receive", {"mid": "1"}, "InvalidArgument", "proto: missing"),
    "rooms of nobody": ("RenewOnline", {"roomCount": {"r": 1}}, "InvalidArgument", "server:"),
    "a room that is no name": ("Connect", {"server": SERVER, "token": b64(b'{"mid":1,"room_id":"a\\n"}')}, "InvalidArgument",
                               "auth: room_id"),
    "a negative number": ("RenewOnline", {"server": SERVER, "roomCount": {"r": -1}}, "InvalidArgument", "roomCount:"),
    "too many rooms": ("RenewOnline", {"server": SERVER, "roomCount": {str(i): 1 for i in range(65537)}},
                       "InvalidArgument", "not a OnlineRooms"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_makes_no_sense_is_refused(world, case):
    method, request, code, why = WRONG[case]
    with pytest.raises(Refused) as refused:
        ask(world, method, request)
    assert refused.value.code == code and why in refused.value.text, refused.value


@pytest.mark.parametrize("method", ["Connect", "Disconnect", "Heartbeat", "RenewOnline", "Receive", "Nodes"])
def test_garbage_is_refused(world, method):
    with pytest.raises(Refused) as refused:
        ask(world, method, raw=b64(b"\xff" * 40))
    assert refused.value.code == "InvalidArgument"


def test_a_bomb_is_refused(world):
    """4 MiB that become 4 GiB: gRPC itself would inflate them."""
    with pytest.raises(Refused) as refused:
        ask(world, "Connect", raw=b64(bytes(3 << 20)), gzip=True)
    assert refused.value.code == "InvalidArgument" and "compressed" in refused.value.text


def test_a_flood_is_answered(world, mid):
    told = ask(world, "Heartbeat", session(mid, f"key-{mid}"), times=2000, at_once=50)
    assert told["ok"] == 2000, told


def test_it_is_off_unless_it_is_wanted(shared, world):
    with pytest.raises(Refused) as refused:
        world.goim.call(rpc(shared.logics[0]), SERVICE + "Nodes")
    assert refused.value.code == "FailedPrecondition" and "goim.comets" in refused.value.text
    with pytest.raises(queue.Empty):
        world.goim.called.get(timeout=0.1)
