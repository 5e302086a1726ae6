"""goim v2's pushes on the HTTP API: to keys, mids, rooms and all, for clients of both families."""
import http.client
import itertools
import json
import os

import pytest

import cluster as cluster_module
import goim
import imgo
from cluster import wait_for

_next_mid = itertools.count(88_000_000)


@pytest.fixture(scope="module")
def trusting(bus):
    """A cluster that believes the mid of goim's clients, with two comets."""
    cluster = cluster_module.Cluster(bus, comets=2, env={"IMC_LOGIC_AUTH_TRUST_MID": "yes",
                                                                "IMC_LOGIC_SESSIONS_SAME_KEY": "keep"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def mid():
    return next(_next_mid)


@pytest.fixture(params=["tcp", "ws"])
def client(request):
    """client(comet, **auth) opens a session of goim's."""
    opened = []

    def open_client(comet, **fields):
        kind = goim.TcpClient if request.param == "tcp" else goim.WsClient
        opened.append(kind(comet.tcp if request.param == "tcp" else comet.ws))
        assert opened[-1].auth(**fields) == b""
        return opened[-1]

    open_client.transport = request.param
    yield open_client
    for one in opened:
        one.close()


def push_keys(cluster, keys, body, operation=1000, **query):
    cluster.api.goim("POST", "/goim/push/keys", body, keys=keys, operation=operation, **query)


def none_came(cluster, *clients):
    """What could come is settled, and a later push to all comes first."""
    cluster.settled()
    mark = os.urandom(4).hex()
    cluster.api.goim("POST", "/goim/push/all", mark, operation=999)
    for one in clients:
        assert one.push() == (999, mark.encode())


# --- each call ---

def test_mids(trusting, client, mid):
    first = client(trusting.comets[0], mid=mid, key=f"a{mid}")
    second = client(trusting.comets[1], mid=mid, key=f"b{mid}")
    other = client(trusting.comets[0], mid=next(_next_mid))
    imgos = imgo.TcpClient(trusting.comets[1].tcp).auth(trusting.api.token(mid))
    trusting.api.goim("POST", "/goim/push/mids", "hello", mids=[mid, mid, next(_next_mid)], operation=1000)
    assert first.push() == second.push() == (1000, b"hello")
    assert imgos.recv_op(1000).body == b"hello"
    none_came(trusting, first, second, other)
    imgos.close()


def test_mids_who_are_away(trusting, client, mid):
    for i in range(3):
        trusting.api.goim("POST", "/goim/push/mids", f"m{i}", mids=mid, operation=1000 + i)
    trusting.settled()
    assert client(trusting.comets[1], mid=mid).pushes(3) == [(1000 + i, f"m{i}".encode()) for i in range(3)]


def test_a_room(trusting, client, mid):
    room = f"live://{mid}"
    inside = [client(c, mid=next(_next_mid), room_id=room, accepts=[]) for c in trusting.comets]
    outside = client(trusting.comets[0], mid=next(_next_mid), room_id="live")
    imgos = imgo.WsClient(trusting.comets[0].ws).auth(trusting.api.token(mid, room=room))
    trusting.api.goim("POST", "/goim/push/room", "hi", type="live", room=mid, operation=1000)
    for one in inside:
        assert one.push() == (1000, b"hi")
    assert str(imgos.recv_op(1000).body) in ("hi", "b'hi'")
    none_came(trusting, outside)
    imgos.close()


def test_all(trusting, client, mid):
    every = [client(c, mid=next(_next_mid), accepts=[1000]) for c in trusting.comets]
    none = client(trusting.comets[0], mid=next(_next_mid), accepts=[1001])
    imgos = imgo.TcpClient(trusting.comets[1].tcp).auth(trusting.api.token(mid))
    trusting.api.goim("POST", "/goim/push/all", "a", operation=1000)
    for one in every:
        assert one.push() == (1000, b"a")
    assert imgos.recv_op(1000).body == b"a"
    trusting.api.goim("POST", "/goim/push/all", "c", operation=1001)
    assert none.push() == (1001, b"c")
    imgos.close()
    trusting.settled()  # on the other comet, too, so that no session of the next test gets it


def test_keys(trusting, client, mid):
    """Of a user's devices only those that are meant, wherever they are; a key may be any text."""
    meant = [client(c, mid=mid, key=f"phone {i} é&={mid}") for i, c in enumerate(trusting.comets)]
    other = client(trusting.comets[0], mid=mid, key=f"tablet-{mid}")
    stranger = client(trusting.comets[1], mid=next(_next_mid), key=f"phone-{mid}-2")
    imgos = imgo.TcpClient(trusting.comets[0].tcp).auth(trusting.api.token(mid))
    keys = [f"phone {i} é&={mid}" for i in range(2)]
    push_keys(trusting, [*keys, keys[0], f"nobody-{mid}"], "both")
    push_keys(trusting, keys[1], "one")
    assert meant[0].push() == (1000, b"both")
    assert meant[1].pushes(2) == [(1000, b"both"), (1000, b"one")]
    none_came(trusting, meant[0], meant[1], other, stranger)
    assert imgos.recv().op == 999  # nothing before that
    imgos.close()


def test_an_operation_that_is_not_said_is_0(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    trusting.api.goim("POST", "/goim/push/keys", "a", keys=f"k{mid}")
    trusting.api.goim("POST", "/goim/push/mids", "b", mids=mid)
    assert one.pushes(2) == [(0, b"a"), (0, b"b")]


def test_a_negative_operation_passes(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    push_keys(trusting, f"k{mid}", "a", operation=-(1 << 31))
    assert one.push() == (-(1 << 31), b"a")


# --- keys: who has them, who had them ---

def test_unknown_keys_are_skipped(trusting, mid):
    before = trusting.sum("logic", "imc_logic_produced_total")
    push_keys(trusting, [f"x{mid}", f"y{mid}"], "x")
    assert trusting.sum("logic", "imc_logic_produced_total") == before


def test_a_key_that_is_away_gets_it_later(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    one.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 0, what="the session to end")
    for i in range(3):
        push_keys(trusting, f"k{mid}", f"m{i}")
    trusting.settled()
    assert trusting.mailbox(mid) == 3
    again = client(trusting.comets[1], mid=mid, key=f"k{mid}")
    assert again.pushes(3) == [(1000, f"m{i}".encode()) for i in range(3)]
    push_keys(trusting, f"k{mid}", "now")
    assert again.push() == (1000, b"now")


def test_an_open_session_with_another_key_is_left_alone(trusting, client, mid):
    """What waits for a device is not read by a session that is open, but by whoever of the user connects next."""
    away = client(trusting.comets[0], mid=mid, key=f"away{mid}")
    there = client(trusting.comets[1], mid=mid, key=f"there{mid}")
    away.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 1, what="the session to end")
    push_keys(trusting, f"away{mid}", "waits")
    push_keys(trusting, f"there{mid}", "comes")
    trusting.api.goim("POST", "/goim/push/mids", "too", mids=mid, operation=1001)
    assert there.pushes(2) == [(1000, b"comes"), (1001, b"too")]
    trusting.settled()
    assert trusting.mailbox(mid) == 1
    back = client(trusting.comets[0], mid=mid, key=f"away{mid}")
    assert back.push() == (1000, b"waits")
    wait_for(lambda: trusting.mailbox(mid) == 0, what="the mailbox to be confirmed")
    none_came(trusting, there, back)


def test_a_device_moves_between_comets(trusting, client, mid):
    key = f"k{mid}"
    for i in range(6):
        one = client(trusting.comets[i % 2], mid=mid, key=key)
        push_keys(trusting, key, f"on {i}")
        assert one.push() == (1000, f"on {i}".encode())
        one.close()
        push_keys(trusting, key, f"off {i}")
        # The comet may not have noticed yet that it has left: then the kernel took that one.
        trusting.settled()
        trusting.redis_cli("del", f"imc:mb:{mid}")


def test_a_key_belongs_to_who_connected_last(trusting, client, mid):
    key, second = f"k{mid}", next(_next_mid)
    first = client(trusting.comets[0], mid=mid, key=key)
    push_keys(trusting, key, "to the first")
    assert first.push() == (1000, b"to the first")
    other = client(trusting.comets[1], mid=second, key=key)
    push_keys(trusting, key, "to the second")
    assert other.push() == (1000, b"to the second")
    none_came(trusting, first, other)
    other.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 1, what="the session to end")
    push_keys(trusting, key, "waits")
    trusting.settled()
    assert (trusting.mailbox(mid), trusting.mailbox(second)) == (0, 1)
    none_came(trusting, first)


def test_two_sessions_with_one_key_both_get_it(trusting, client, mid):
    both = [client(c, mid=mid, key=f"k{mid}") for c in trusting.comets]
    push_keys(trusting, f"k{mid}", "x")
    for one in both:
        assert one.push() == (1000, b"x")


def test_a_key_that_logic_made_up(trusting, mid):
    """A client that asks is told its key, and may name it when it comes back."""
    one = goim.TcpClient(trusting.comets[0].tcp)
    key = json.loads(one.auth(mid=mid, hello=True))["key"]
    assert key.startswith(f"~{mid}~")
    push_keys(trusting, key, "hello")
    assert one.push() == (1000, b"hello")
    assert trusting.redis_cli("exists", f"imc:key:{key}") == "0"
    one.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 0, what="the session to end")
    push_keys(trusting, key, "waits")
    trusting.settled()
    again = goim.TcpClient(trusting.comets[1].tcp)
    again.auth(mid=mid, key=key)
    assert again.push() == (1000, b"waits")
    again.close()
    thief = goim.TcpClient(trusting.comets[0].tcp)
    thief.send(goim.AUTH, json.dumps({"mid": next(_next_mid), "key": key}).encode())
    assert "another user" in thief.kicked(3)
    thief.close()


def test_nobody_is_reached_by_his_key(trusting, client, mid):
    one = client(trusting.comets[0], key=f"anon-{mid}")
    push_keys(trusting, f"anon-{mid}", "hello")
    assert one.push() == (1000, b"hello")
    one.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 0, what="the session to end")
    push_keys(trusting, f"anon-{mid}", "waits")
    trusting.settled()
    assert client(trusting.comets[1], key=f"anon-{mid}").push() == (1000, b"waits")


def test_order_of_one_device(trusting, client, mid):
    """By key, by mid and by uid in turn, while the device comes and goes."""
    key, sent, got = f"k{mid}", 0, []

    def push_some():
        nonlocal sent
        for _ in range(10):
            body = f"{sent}"
            if sent % 3 == 0:
                push_keys(trusting, key, body)
            elif sent % 3 == 1:
                trusting.api.goim("POST", "/goim/push/mids", body, mids=mid, operation=1000)
            else:
                trusting.api.push(mid, body, op=1000)
            sent += 1

    one = client(trusting.comets[0], mid=mid, key=key)
    push_some()
    got += one.pushes(10)
    one.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 0, what="the session to end")
    push_some()
    one = client(trusting.comets[1], mid=mid, key=key)
    push_some()
    got += one.pushes(20)
    assert got == [(1000, f"{i}".encode()) for i in range(30)]


def test_a_ttl_of_0_is_for_who_is_there(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    push_keys(trusting, f"k{mid}", "now", ttl=0)
    assert one.push() == (1000, b"now")
    one.close()
    wait_for(lambda: trusting.sum("comet", "imc_comet_sessions") == 0, what="the session to end")
    push_keys(trusting, f"k{mid}", "never", ttl=0)
    trusting.settled()
    assert trusting.mailbox(mid) == 0


# --- answers ---

def test_an_id_is_pushed_once_whichever_face_is_asked(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    for _ in range(2):
        trusting.api.goim("POST", "/goim/push/mids", "a", mids=mid, operation=1000, id=f"id-{mid}")
        trusting.api.push(mid, "a", id=f"id-{mid}", op=1000)
    # To the key alone is another push.
    said = trusting.api.goim_refused(-400, "POST", "/goim/push/keys", "a", keys=f"k{mid}", operation=1000, id=f"id-{mid}")
    assert "id" in said
    for _ in range(2):
        push_keys(trusting, f"k{mid}", "b", id=f"key-{mid}")
    assert one.pushes(2) == [(1000, b"a"), (1000, b"b")]
    none_came(trusting, one)


BAD = [
    *[(path, {**query, "operation": bad}, "operation")
      for path, query in (("keys", {"keys": "k"}), ("mids", {"mids": 1}), ("room", {"type": "a", "room": "b"}),
                          ("all", {}))
      for bad in ("x", "1.0", " 1", "0x1", 1 << 31, -(1 << 31) - 1, [1, 1], 3, 6, 8, 9)],
    *[("mids", {"mids": bad}, "mids") for bad in ([], "", "x", "1,2", "1.0", 1 << 63, [1, "x"], [1] * 10001)],
    *[("keys", {"keys": bad}, "keys") for bad in ([], "", ["a", ""], "\x7f", "k" * 129, ["k"] * 4000 + [""])],
    *[("room", {"operation": 1, "type": "t", "room": "r", what: bad}, what)
      for what in ("type", "room") for bad in ([], "", ["a", "b"], "\x7f", "x" * 129)],
    ("room", {"operation": 1, "type": "x" * 63, "room": "y" * 63}, "room"),
    ("room", {"type": "t", "room": "r"}, "operation"), ("room", {"operation": 0, "type": "t", "room": "r"}, "operation"),
    ("all", {}, "operation"), ("all", {"operation": 0}, "operation"), ("all", {"operation": ""}, "operation"),
    *[("all", {"operation": 1, "speed": bad}, "speed") for bad in ("x", -1, 1 << 31, [1, 1])],
    *[("keys", {"keys": "k", what: bad}, what) for what in ("ttl", "id") for bad in ("", [1, 1])],
]


@pytest.mark.parametrize("path, query, names", BAD, ids=[f"{n}-{path}-{what}" for n, (path, _, what) in enumerate(BAD)])
def test_bad_input_is_named(trusting, path, query, names):
    if sum(len(str(v)) for v in query.values()) > 30000:
        query = {"mids": [1] * 4000 + ["x"]}  # a head has no room for more
    status, answer = trusting.api.call("POST", f"/goim/push/{path}", "x", **query)
    if status == 400:
        # Control characters: the HTTP server refuses them before there is a parameter.
        assert answer["code"] == -400
        return
    assert (status, answer["code"]) == (200, -400), (status, answer)
    assert answer["message"].startswith(f"{names}: "), answer


@pytest.mark.parametrize("path, query", [("keys", {"keys": "k"}), ("mids", {"mids": 1}),
                                         ("room", {"operation": 1, "type": "t", "room": "r"}), ("all", {"operation": 1})])
def test_bodies_and_methods(trusting, path, query):
    path = f"/goim/push/{path}"
    assert trusting.api.goim_refused(-400, "POST", path, "", **query) == "body: empty"
    assert trusting.api.goim_refused(-400, "POST", path, "x" * 65537, **query).startswith("body: longer than")
    assert "1048576 bytes" in trusting.api.goim_refused(-400, "POST", path, "x" * (1 << 20) + "x", 413, **query)
    assert "POST it" in trusting.api.goim_refused(-400, "GET", path, status=405, **query)
    assert trusting.api.goim_refused(-400, "POST", path + "/x", "x", 404, **query) == "no such path"


def test_a_head_of_the_limit_has_thousands_of_keys(trusting, client, mid):
    one = client(trusting.comets[0], mid=mid, key=f"k{mid}")
    push_keys(trusting, [*(f"{i:x}" for i in range(3000)), f"k{mid}"], "x")
    assert one.push() == (1000, b"x")
    connection = http.client.HTTPConnection("127.0.0.1", trusting.api.port)
    connection.request("POST", "/goim/push/keys?" + "&".join(["keys=k"] * 5000), "x")
    assert connection.getresponse().status == 431
    connection.close()


def test_all_with_a_speed(trusting, client, mid):
    """The last one: a loop that has no session when it begins takes its time, and who comes meanwhile gets it, too."""
    every = [client(c, mid=next(_next_mid), accepts=[mid]) for c in trusting.comets]
    trusting.api.goim("POST", "/goim/push/all", "b", operation=mid, speed=100)
    for one in every:
        assert one.push() == (mid, b"b")
