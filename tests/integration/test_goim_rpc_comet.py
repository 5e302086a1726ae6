"""goim.comet.Comet: what goim's own job calls, with the options that it dials with."""
import itertools

import pytest

import goim
import goim_rpc
import imgo
from cluster import Cluster, wait_for
from goim_rpc import Refused, b64, message, raw, rpc

_next = itertools.count(1)
SERVICE = "goim.comet.Comet/"


@pytest.fixture(scope="module")
def shared(bus):
    """Several sessions of a user may have one key."""
    cluster = Cluster(bus, env={"IMC_LOGIC_SESSIONS_SAME_KEY": "keep"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def job():
    """Plays goim's job."""
    peer = goim_rpc.Goim()
    yield peer
    peer.close()


@pytest.fixture
def key():
    return f"key-{next(_next)}"


@pytest.fixture(params=["tcp", "ws"])
def client(request, shared, uid):
    """client(...) is a goim session with these fields in its auth."""
    opened = []

    def open_client(**fields):
        shared.api.token(uid, f"goim-{uid}")
        kind = goim.TcpClient if request.param == "tcp" else goim.WsClient
        opened.append(kind(shared.comets[0].tcp if request.param == "tcp" else shared.comets[0].ws))
        opened[-1].auth(token=f"goim-{uid}", **fields)
        return opened[-1]

    open_client.transport = request.param
    yield open_client
    for one in opened:
        one.close()


def imgo_session(shared, uid, room=None):
    name = f"imgo-{uid}"
    shared.api.token(uid, name, **({"room": room} if room else {}))
    return imgo.TcpClient(shared.comets[0].tcp).auth(name)


def counter(shared, name):
    return shared.comets[0].metrics().get(name, 0)


def push(job, shared, keys, op, proto):
    return job.call(rpc(shared.comets[0]), SERVICE + "PushMsg", {"keys": keys, "protoOp": op, "proto": proto})


def test_framed_messages_reach_a_key(shared, job, client, key):
    one = client(key=key)
    assert push(job, shared, [key], 1000, raw((1000, b"a"), (1000, b""))) == {}
    assert one.pushes(2) == [(1000, b"a"), (1000, b"")]


def test_every_session_of_a_key_gets_it(shared, job, client, key):
    two = [client(key=key), client(key=key)]
    other = client(key=key + "-other")
    push(job, shared, [key, "nobody"], 1000, raw((1000, b"a")))
    for one in two:
        assert one.push() == (1000, b"a")
    two[1].close()
    wait_for(lambda: counter(shared, "imc_comet_sessions") >= 1, what="the session to end")
    push(job, shared, [key], 1000, raw((1000, b"b")))
    assert two[0].push() == (1000, b"b")
    other.nothing()


def test_another_operation_goes_out_bare(shared, job, client, key):
    one = client(key=key)
    push(job, shared, [key], 1000, message(1001, b"bare", ver=3, seq=44))
    got = one.recv()
    assert (got.ver, got.op, got.seq, got.body) == (3, 1001, 44, b"bare")


def test_a_push_asks_for_protoop_not_for_what_is_inside(shared, job, client, key):
    one = client(key=key, accepts=[1000])
    before = counter(shared, "imc_comet_declined_total")
    push(job, shared, [key], 1001, raw((1000, b"declined")))
    push(job, shared, [key], 1000, raw((1001, b"taken")))
    assert one.push() == (1001, b"taken")
    assert counter(shared, "imc_comet_declined_total") == before + 1


def test_unknown_keys_are_counted(shared, job):
    before = counter(shared, "imc_comet_goim_keys_unknown_total")
    push(job, shared, ["nobody", "no one"], 1000, raw((1000, b"a")))
    assert counter(shared, "imc_comet_goim_keys_unknown_total") == before + 2


def test_a_room_gets_it_in_both_families(shared, job, client, uid, uids):
    room = f"live://{uid}"
    one = client(room_id=room, accepts=[])
    with imgo_session(shared, uids(1)[0], room) as two:
        job.call(rpc(shared.comets[0]), SERVICE + "BroadcastRoom",
                 {"roomID": room, "proto": raw((1000, b"a"), (1001, b"b"))})
        assert one.pushes(2) == [(1000, b"a"), (1001, b"b")]
        assert [(got.seq, got.body) for got in (two.recv(), two.recv())] == [(0, b"a"), (0, b"b")]


@pytest.mark.parametrize("speed", [0, 1000])
def test_all_get_a_broadcast_that_they_accept(shared, job, client, uids, speed):
    some, none = client(accepts=[1000]), client(accepts=[1001])
    with imgo_session(shared, uids(1)[0]) as other:
        job.call(rpc(shared.comets[0]), SERVICE + "Broadcast", {"protoOp": 1000, "proto": raw((1001, b"a")), "speed": speed})
        assert some.push() == (1001, b"a")
        got = other.recv()
        assert (got.op, got.body) == (1001, b"a")
    none.nothing()


def test_rooms_are_those_with_members(shared, job, client, uid):
    room = f"rooms-{uid}"
    one = client(room_id=room)
    address = rpc(shared.comets[0])

    def rooms():
        return job.call(address, SERVICE + "Rooms").get("rooms", {})
    assert wait_for(lambda: rooms().get(room), what="the room to be named")
    one.send(goim.CHANGE_ROOM, b"")
    wait_for(lambda: room not in rooms(), what="the room to be left out")


def frame(op=1000, body=b"x", **wrong):
    return imgo.frame(op, body, seq=0, **wrong)


WRONG = {
    "no keys": ("PushMsg", {"protoOp": 1, "proto": raw((1, b"a"))}, "keys: missing"),
    "no message": ("PushMsg", {"keys": ["k"], "protoOp": 1}, "proto: missing"),
    "no message for all": ("Broadcast", {}, "proto: missing"),
    "no message for a room": ("BroadcastRoom", {"roomID": "r"}, "proto: missing"),
    "no room": ("BroadcastRoom", {"proto": raw((1, b"a"))}, "roomID: not a name"),
    "a room of 129 bytes": ("BroadcastRoom", {"roomID": "r" * 129, "proto": raw((1, b"a"))}, "roomID: not a name"),
    "a room with a line feed": ("BroadcastRoom", {"roomID": "r\n", "proto": raw((1, b"a"))}, "roomID: not a name"),
    "no frames": ("Broadcast", {"proto": message(9)}, "no frame at byte 0"),
    "half a header": ("Broadcast", {"proto": message(9, frame() + frame()[:15])}, "not whole at byte 17"),
    "half a body": ("Broadcast", {"proto": message(9, frame(body=b"xyz")[:-1])}, "not whole at byte 0"),
    "a length of 4 GiB": ("Broadcast", {"proto": message(9, frame(length=0xffffffff))}, "not whole at byte 0"),
    "a length of 15": ("Broadcast", {"proto": message(9, frame(length=15))}, "wrong at byte 0"),
    "a header of 17": ("Broadcast", {"proto": message(9, frame(header=17))}, "wrong at byte 0"),
    "frames in frames": ("Broadcast", {"proto": message(9, frame(op=9))}, "frames within frames"),
    "too many frames": ("Broadcast", {"proto": message(9, frame() * 1025)}, "more than 1024 frames"),
    "keys times frames": ("PushMsg", {"keys": ["k"] * 100, "protoOp": 1, "proto": raw(*[(1, b"")] * 1000)},
                          "100 keys times 1000 frames are more than 65536"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_makes_no_sense_is_refused(shared, job, case):
    method, request, why = WRONG[case]
    before = counter(shared, "imc_comet_goim_malformed_total")
    with pytest.raises(Refused) as refused:
        job.call(rpc(shared.comets[0]), SERVICE + method, request)
    assert refused.value.code == "InvalidArgument" and why in refused.value.text
    assert counter(shared, "imc_comet_goim_malformed_total") == before + 1


BYTES = {
    "garbage": b"\xff" * 50,
    "a key with NUL": b"\x0a\x03a\x00b",
    "a string that is cut": b"\x0a\x7fabc",
    "too many keys": b"\x0a\x00" * 65537,
}


@pytest.mark.parametrize("case", BYTES)
def test_what_is_no_message_is_refused(shared, job, case):
    with pytest.raises(Refused) as refused:
        job.call(rpc(shared.comets[0]), SERVICE + "PushMsg", raw=b64(BYTES[case]))
    assert refused.value.code == "InvalidArgument" and "not a PushMsgReq" in refused.value.text


def test_most_keys_and_frames_that_may_be(shared, job, client, key):
    one = client(key=key)
    push(job, shared, [key] + ["nobody"] * 63, 7, raw(*[(7, b"%d" % i) for i in range(1024)]))
    assert one.pushes(1024) == [(7, b"%d" % i) for i in range(1024)]


def test_a_flood_is_answered_and_costs_nothing_later(shared, job, client, key):
    """Far more calls a second than streams may be opened in one."""
    one = client(key=key)
    told = job.call(rpc(shared.comets[0]), SERVICE + "PushMsg",
                    {"keys": [key], "protoOp": 1000, "proto": raw((1000, b"a"))}, times=2000, at_once=100)
    assert told["ok"] == 2000, told
    assert one.pushes(2000) == [(1000, b"a")] * 2000
    assert counter(shared, "imc_rpc_cut_total") == 0
    wait_for(lambda: counter(shared, "imc_rpc_held_bytes") == 0, what="memory of calls to be given back")


def test_keepalive_without_a_call(shared):
    """goim's programs ping every 10 s, also without a call: the connection stays."""
    peer = goim_rpc.Goim()
    peer.call(rpc(shared.comets[0]), SERVICE + "Rooms")
    peer.call(rpc(shared.comets[0]), SERVICE + "Rooms", seconds=90, after=22)
    assert peer.dials == 1
    peer.close()
