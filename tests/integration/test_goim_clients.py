"""goim v2's clients, written from its documents: auth, heartbeat, rooms, operations, pushes, on both transports."""
import itertools
import json
import re

import pytest

import goim
import imgo
from cluster import wait_for

_next_mid = itertools.count(77_000_000)


@pytest.fixture(scope="module")
def trusting(bus):
    """A cluster that believes the mid of goim's clients, with two comets."""
    import cluster as cluster_module
    cluster = cluster_module.Cluster(bus, comets=2, env={"IMC_LOGIC_AUTH_TRUST_MID": "yes"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def mid():
    return next(_next_mid)


@pytest.fixture(params=["tcp", "ws"])
def client(request):
    """client(comet) opens a connection."""
    opened = []

    def open_client(comet):
        kind = goim.TcpClient if request.param == "tcp" else goim.WsClient
        opened.append(kind(comet.tcp if request.param == "tcp" else comet.ws))
        return opened[-1]

    open_client.transport = request.param
    yield open_client
    for one in opened:
        one.close()


def member(client, comet, mid, **fields):
    one = client(comet)
    assert one.auth(mid=mid, **fields) == b""
    return one


def test_a_mid_is_a_user(trusting, client, mid):
    one = member(client, trusting.comets[0], mid, key=f"k{mid}", room_id="", platform="web", accepts=[1000, 5])
    trusting.api.push(mid, "hello", op=1000)
    trusting.api.push(mid, "world")
    assert one.pushes(2) == [(1000, b"hello"), (5, b"world")]


def test_what_waited_comes_at_auth(trusting, client, mid):
    for i in range(3):
        trusting.api.push(mid, f"m{i}", op=1000)
    trusting.settled()
    one = member(client, trusting.comets[0], mid, accepts=[1000])
    assert one.pushes(3) == [(1000, f"m{i}".encode()) for i in range(3)]
    wait_for(lambda: trusting.mailbox(mid) == 0, what="the mailbox to be confirmed")


def test_a_room_ignores_what_is_accepted_others_do_not(trusting, client, mid):
    room = f"live://{mid}"
    none = member(client, trusting.comets[0], mid, room_id=room, accepts=[])
    every = member(client, trusting.comets[0], mid, room_id=room)
    some = member(client, trusting.comets[1], mid, room_id=room, accepts=[7, 1001])
    trusting.api.push(mid, "a", op=1001)
    trusting.api.ok("POST", "/1/push/all", "b", op=1001)
    for one, bodies in ((every, [b"a", b"b"]), (some, [b"a", b"b"])):
        assert sorted(one.pushes(2)) == [(1001, body) for body in bodies]
    trusting.api.push(mid, "c", op=1002)
    assert every.push() == (1002, b"c")
    trusting.api.push_room(room, "d", op=1003)
    for one in (none, every, some):
        assert one.push() == (1003, b"d")


def test_subscribing_and_unsubscribing(trusting, client, mid):
    one = member(client, trusting.comets[0], mid, accepts=[])
    assert one.ask(goim.SUBSCRIBE, b"1000,1001") == (15, b"1000,1001")
    trusting.api.push(mid, "a", op=1000)
    assert one.push() == (1000, b"a")
    assert one.ask(goim.UNSUBSCRIBE, b"1000") == (17, b"1000")
    trusting.api.push(mid, "b", op=1000)
    trusting.settled()
    trusting.api.push(mid, "c", op=1001)
    assert one.push() == (1001, b"c")
    # goim answers what it cannot read, and changes nothing
    assert one.ask(goim.UNSUBSCRIBE, b"1001,x") == (17, b"1001,x")
    assert one.ask(goim.SUBSCRIBE, b"") == (15, b"")
    trusting.api.push(mid, "d", op=1001)
    assert one.push() == (1001, b"d")


def test_one_who_accepts_all_can_leave_out(trusting, client, mid):
    one = member(client, trusting.comets[0], mid)
    one.ask(goim.UNSUBSCRIBE, b"1000")
    trusting.api.push(mid, "a", op=1000)
    trusting.settled()
    trusting.api.push(mid, "b", op=1001)
    assert one.push() == (1001, b"b")
    one.ask(goim.SUBSCRIBE, b"1000")
    trusting.api.push(mid, "c", op=1000)
    assert one.push() == (1000, b"c")


def test_changing_the_room(trusting, client, mid):
    first, second = f"live://{mid}", f"live://{mid}-2"
    one = member(client, trusting.comets[0], mid, room_id=first)
    trusting.api.push_room(first, "1", op=5)
    assert one.push() == (5, b"1")
    assert one.ask(goim.CHANGE_ROOM, second.encode()) == (13, second.encode())
    trusting.api.push_room(first, "no", op=5)
    trusting.api.push_room(second, "2", op=5)
    assert one.push() == (5, b"2")
    wait_for(lambda: trusting.api.counts("room").get(second) == 1 and first not in trusting.api.counts("room"),
             2, what="the counts to follow")
    assert one.ask(goim.CHANGE_ROOM, b"") == (13, b"")
    assert one.online() == 0
    trusting.api.push_room(second, "no", op=5)
    trusting.settled()
    one.nothing()


def test_the_heartbeat_says_how_many_are_in_the_room(trusting, client, mid):
    room = f"live://{mid}"
    one = member(client, trusting.comets[0], mid, room_id=room)
    assert one.online() == 1
    others = [member(client, trusting.comets[i % 2], mid + 1_000_000 + i, room_id=room) for i in range(4)]
    imgos = imgo.TcpClient(trusting.comets[1].tcp).auth(trusting.api.token(mid, room=room))
    # Each comet asks for the counts at a moment of its own.
    for member_of_each, ver in ((one, 1), (others[1], 0)):
        wait_for(lambda: member_of_each.online(ver=ver, seq=9) == 6, 2, what="all of them to be counted")
    for gone in (*others, imgos):
        gone.close()
    wait_for(lambda: one.online() == 1, 2, what="those who left")


def test_unknown_operations_are_answered_with_no_body(trusting, client, mid):
    one = member(client, trusting.comets[0], mid)
    for op in (goim.SEND, 1000, 99, -3, 3, 8):
        assert one.ask(op, b"for the business") == (op, b"")
    assert one.ask(254, b"x") == (255, b'{"test":"come on"}')


def test_nobody_is_a_user_of_his_own(trusting, client):
    """mid 0 or none: goim's anonymous sessions get pushes to their room and to all."""
    room = "live://nobodies"
    them = [member(client, trusting.comets[0], 0, room_id=room) for _ in range(40)]  # more than one user may have
    trusting.api.push_room(room, "x", op=5)
    assert all(one.push() == (5, b"x") for one in them)


def test_hello_tells_key_and_server(trusting, client, mid):
    one = client(trusting.comets[0])
    hello = json.loads(one.auth(mid=mid, key='k"1', hello=True))
    assert hello == {"key": 'k"1', "heartbeat": 300, "server": hello["server"]} and hello["server"]
    made_up = json.loads(client(trusting.comets[0]).auth(mid=mid, hello=True))["key"]
    assert re.fullmatch(rf"~{mid}~[0-9a-f]{{32}}", made_up)


def test_a_token_decides_who_it_is(shared, client, mid):
    """Without auth.trust_mid."""
    token = shared.api.token(mid, room=f"of-token-{mid}", accepts="1000")
    one = client(shared.comets[0])
    assert one.auth(mid=mid, token=token) == b""
    shared.api.push_room(f"of-token-{mid}", "r", op=3000)
    assert one.push() == (3000, b"r")
    shared.api.push(mid, "no", op=1001)
    shared.settled()
    shared.api.push(mid, "yes", op=1000)
    assert one.push() == (1000, b"yes")


@pytest.mark.parametrize("fields, code, words", [
    ({"mid": 5}, 1, "auth.trust_mid"),
    ({}, 1, "auth.trust_mid"),
    ({"mid": 5, "token": "no such token"}, 1, "unknown or expired token"),
    ({"mid": "5"}, 3, "mid"),
    ({"mid": 1.5}, 3, "mid"),
    ({"mid": -1}, 3, "mid"),
    ({"mid": 1, "key": "k" * 129}, 3, "key"),
    ({"mid": 1, "key": 7}, 3, "key"),
    ({"mid": 1, "room_id": "r" * 129}, 3, "room_id"),
    ({"mid": 1, "accepts": "1000"}, 3, "accepts"),
    ({"mid": 1, "accepts": [1 << 31]}, 3, "accepts[0]"),
    ({"mid": 1, "accepts": list(range(257))}, 3, "256"),
    ({"mid": 1, "hello": 1}, 3, "hello"),
])
def test_refused(shared, client, fields, code, words):
    one = client(shared.comets[0])
    one.send(goim.AUTH, json.dumps(fields).encode())
    assert words in one.kicked(code)


def test_a_token_of_another_user(shared, client, mid):
    one = client(shared.comets[0])
    one.send(goim.AUTH, json.dumps({"mid": mid + 1, "token": shared.api.token(mid)}).encode())
    assert "mid" in one.kicked(1)


@pytest.mark.parametrize("body", [b'{"mid":1', b'{"mid":1}x', b'{"mid":1,"mid":2}', b'{"key":"\\u0000"}', b'{"a":"\xff"}',
                                  b'{"mid":99999999999999999999}', b"{" * 2000])
def test_what_is_no_json(shared, client, body):
    one = client(shared.comets[0])
    one.send(goim.AUTH, body)
    assert "auth" in one.kicked(3)


def test_bad_rooms_and_too_many_operations(trusting, client, mid):
    for room in (b"r" * 129, b"a\0b", b"\xff"):
        one = member(client, trusting.comets[0], mid)
        one.send(goim.CHANGE_ROOM, room)
        assert "room" in one.kicked(3)
    one = member(client, trusting.comets[0], mid, accepts=list(range(256)))
    assert one.ask(goim.SUBSCRIBE, b"255,0") == (15, b"255,0")
    one.send(goim.SUBSCRIBE, b"256")
    assert "256" in one.kicked(10)


def test_a_second_auth(trusting, client, mid):
    one = member(client, trusting.comets[0], mid)
    assert one.ask(goim.AUTH, b"{}") == (goim.AUTH_REPLY, b"")
    one = member(client, trusting.comets[0], mid)
    one.send(goim.AUTH, b'{"mid":%d}' % (mid + 1))
    assert "another user" in one.kicked(1)


def test_bad_binary_messages(trusting, mid):
    good = imgo.frame(goim.HEARTBEAT)
    for opcode, data in ((2, good + good), (2, good[:15]), (2, good[:-1]), (1, good), (1, b'{"op":2}')):
        one = goim.WsClient(trusting.comets[0].ws)
        one.auth(mid=mid)
        one.sock.sendall(imgo.ws_frame(opcode, data))
        try:
            one.recv()
            raise AssertionError("was answered")
        except imgo.Closed as closed:
            assert closed.code in (4003, 1007), closed
        one.close()


def test_families_side_by_side(trusting, uids):
    """One user, one room, four wire forms, two comets."""
    (uid,) = uids(1)
    room = f"live://{uid}"
    token = trusting.api.token(uid, room=room)
    goims, imgos = [], []
    for comet in trusting.comets:
        for kind, address in ((goim.TcpClient, comet.tcp), (goim.WsClient, comet.ws)):
            goims.append(kind(address))
            goims[-1].auth(mid=uid, room_id=room)
        imgos += [imgo.TcpClient(comet.tcp).auth(token), imgo.WsClient(comet.ws).auth(token)]
    for i in range(20):
        trusting.api.push_room(room, f'{{"r":{i}}}', op=5)
    for i in range(20):
        trusting.api.push(uid, f'{{"u":{i}}}')
    for i in range(20):
        trusting.api.ok("POST", "/1/push/all", f'{{"a":{i}}}')
    for one in goims:
        got = [json.loads(body) for _, body in one.pushes(60)]
        for kind in "rua":
            assert [g[kind] for g in got if kind in g] == list(range(20))
    for one in imgos:
        got = [json.loads(b) if isinstance(b, bytes) else b for b in one.pushes(60)]
        for kind in "rua":
            assert [g[kind] for g in got if kind in g] == list(range(20))
    for one in (*goims, *imgos):
        one.close()


def test_a_router_that_restarts_learns_the_rooms(trusting, client, mid):
    room = f"live://{mid}"
    one = member(client, trusting.comets[0], mid, room_id=room)
    assert one.online() == 1
    trusting.routers[0].kill9()
    trusting.routers[0].start()
    wait_for(lambda: trusting.api.call("GET", "/1/count", type="room")[0] == 200 and
             trusting.api.counts("room").get(room) == 1, what="the room to be known again")
    wait_for(lambda: one.online() == 1, what="the count")
