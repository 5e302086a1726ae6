"""Clients of goim v2, and of imgo's JSON, in a page of a real Chromium: on one comet, and spread over four."""
import concurrent.futures
import itertools

import pytest

import goim
from browser import Browser
from cluster import Cluster, wait_for

_next_mid = itertools.count(88_000_000)


@pytest.fixture(scope="module")
def page():
    browser = Browser()
    yield browser
    browser.stop()


@pytest.fixture(scope="module", params=[1, 4], ids=["one-comet", "four-comets"])
def trusting(request, bus, page):
    """One comet lets in only the page's origin, four let in any."""
    env = {"IMC_LOGIC_AUTH_TRUST_MID": "yes", "IMC_COMET_FANOUT_MAX_DELAY": "50ms"}
    if request.param == 1:
        env["IMC_COMET_WS_ALLOWED_ORIGINS"] = page.origin
    cluster = Cluster(bus, comets=request.param, env=env).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def mid():
    return next(_next_mid)


@pytest.fixture
def room(mid):
    return f"live://{mid}"


@pytest.fixture
def join(page, trusting):
    """join(mid=…, room_id=…) opens goim clients, one comet after the other; join.imgo(token) imgo's."""
    comets = itertools.cycle(trusting.comets)
    opened = []

    def open_client(family, auth):
        opened.append(page.open(family, next(comets), auth))
        return opened[-1]

    def goim_client(**auth):
        return open_client("goim", {"key": f"k{auth['mid']}", "room_id": "", "platform": "web", **auth}).authenticated()

    goim_client.unsure = lambda **auth: open_client("goim", auth)
    goim_client.imgo = lambda token: open_client("imgo", token)
    yield goim_client
    for client in opened:
        client.close()
    errors, page.errors = page.errors, []
    assert not errors, errors


def test_pushes_to_room_user_and_all(trusting, join, mid, room):
    members = [join(mid=mid + 1_000_000 * i, room_id=room, accepts=[1000, 1001, 1002]) for i in range(1, 5)]
    trusting.api.push_room(room, "to the room", op=1000)
    for one in members:
        assert one.push() == (1000, b"to the room")
    trusting.api.push(mid + 1_000_000, b"\x00\xff to a user", op=1001)
    assert members[0].push() == (1001, b"\x00\xff to a user")
    trusting.api.push_all("not accepted", op=1003)
    trusting.api.push_all("to all", op=1002)
    for one in members:
        assert one.push() == (1002, b"to all")


def test_a_batch_of_many_is_split(trusting, join, mid, room):
    """What waited comes in order, and what a room is pushed within fanout.max_delay in one operation 9."""
    for i in range(20):  # mailbox.limit
        trusting.api.push(mid, f"w{i}", op=1000)
    trusting.settled()
    one = join(mid=mid, room_id=room)
    assert one.pushes(20) == [(1000, f"w{i}".encode()) for i in range(20)]
    bodies = [f"r{i}" + "x" * (i * 20) for i in range(200)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # one after the other, each might find the room idle
        list(pool.map(lambda i: trusting.api.push_room(room, bodies[i], op=1000 + i), range(200)))
    assert sorted(one.pushes(200)) == [(1000 + i, body.encode()) for i, body in enumerate(bodies)]
    assert max(one.batches) > 1
    wait_for(lambda: trusting.mailbox(mid) == 0, what="the mailbox to be confirmed")


def test_a_push_as_large_as_may_be(trusting, join, mid, room):
    one = join(mid=mid, room_id=room)
    for size in (1, 93, 94, 65503, 65504, 65536):  # with 32 bytes of headers: where WebSocket's length grows
        trusting.api.push_room(room, b"x" * size, op=1007)
        assert one.push() == (1007, b"x" * size)


def test_changing_the_room(trusting, join, mid, room):
    other = f"{room}-2"
    one = join(mid=mid, room_id=room)
    assert one.ask(goim.CHANGE_ROOM, other.encode()) == (13, other.encode())
    trusting.api.push_room(room, "no", op=5)
    trusting.api.push_room(other, "yes", op=5)
    assert one.push() == (5, b"yes")
    assert one.ask(goim.CHANGE_ROOM) == (13, b"")
    trusting.api.push_room(other, "no", op=5)
    trusting.settled()
    trusting.api.push(mid, "end")
    assert one.push() == (5, b"end")


def test_subscribing_and_unsubscribing(trusting, join, mid):
    one = join(mid=mid, accepts=[])
    assert one.ask(goim.SUBSCRIBE, b"1000,1001") == (15, b"1000,1001")
    assert one.ask(goim.UNSUBSCRIBE, b"1000") == (17, b"1000")
    trusting.api.push(mid, "no", op=1000)
    trusting.settled()
    trusting.api.push(mid, "yes", op=1001)
    assert one.push() == (1001, b"yes")


def test_an_operation_for_the_business(join, mid):
    one = join(mid=mid)
    assert one.ask(goim.SEND, "für wen?".encode()) == (goim.SEND, b"")
    assert one.ask(12345, b"x") == (12345, b"")


def test_the_heartbeat_says_how_many_are_in_the_room(join, mid, room):
    members = [join(mid=mid + 1_000_000 * i, room_id=room) for i in range(1, 6)]
    for one in members:
        wait_for(lambda one=one: one.in_room == 5, what="all five to be counted")
    members[0].close()
    wait_for(lambda: members[1].in_room == 4, what="the one who left")
    alone = join(mid=mid)
    wait_for(lambda: alone.heartbeats > 2, what="heartbeats")
    assert alone.in_room == 0


def test_goim_and_imgo_in_one_page(trusting, join, mid, room):
    token = trusting.api.token(mid, room=room)
    goims = [join(mid=mid, key=f"k{mid}-{i}", room_id=room) for i in range(2)]
    imgos = [join.imgo(token).authenticated() for _ in range(2)]
    trusting.api.push_room(room, '{"to":["the",{"room":1}]}', op=5)
    trusting.api.push(mid, "no JSON ünï 推送")
    trusting.api.push_all("17")
    # Room, user and all are streams of their own.
    wanted = [b'{"to":["the",{"room":1}]}', "no JSON ünï 推送".encode(), b"17"]
    for one in goims:
        assert sorted(one.pushes(3)) == sorted((5, body) for body in wanted)
    for one in imgos:
        got = [body for _, body in one.pushes(3)]
        assert all(value in got for value in ({"to": ["the", {"room": 1}]}, "no JSON ünï 推送", 17)), got
        wait_for(lambda one=one: one.heartbeats > 1, what="imgo's heartbeats")
    for one in goims:
        wait_for(lambda one=one: one.in_room == 4, what="both families to be counted")


def test_a_token_instead_of_trust(trusting, join, mid, room):
    one = join(mid=mid, token=trusting.api.token(mid), room_id=room, accepts=[5])
    trusting.api.push(mid, "yes")
    assert one.push() == (5, b"yes")


def test_wrong_tokens(trusting, join, mid):
    assert "token" in join.unsure(mid=mid, token="no such token").kicked(1)
    assert "mid" in join.unsure(mid=mid + 1, token=trusting.api.token(mid)).kicked(1)
    assert "token" in join.imgo("no such token").kicked(1)


def test_close_codes(join, mid):
    assert "accepts" in join.unsure(mid=mid, accepts="all").kicked(3)
    assert "room" in join.unsure(mid=mid, room_id="r" * 129).kicked(3)
    one = join(mid=mid)
    one.order("bytes", body="AAAA")
    one.kicked(3)
    one = join(mid=mid)
    one.send(goim.SEND, b"x" * 4097)
    one.kicked(4)
    one = join(mid=mid, accepts=list(range(256)))
    one.send(goim.SUBSCRIBE, b"256")
    assert "256" in one.kicked(10)


def test_imgo_closes_at_unknown_operations(trusting, join, mid):
    one = join.imgo(trusting.api.token(mid)).authenticated()
    one.order("json", op=999, body={})
    one.kicked(13)


def test_a_page_of_another_origin(page, trusting):
    """localhost is another origin than 127.0.0.1, though the server is the same one."""
    stranger = Browser("localhost")
    try:
        assert stranger.origin != page.origin
        client = stranger.open("goim", trusting.comets[0], {"mid": 5})
        if len(trusting.comets) == 4:
            client.authenticated()
        else:
            assert client.get("close")["code"] == 1006  # all that a browser tells of a refused handshake
    finally:
        stranger.stop()


def test_a_comet_that_goes(trusting, page, mid, room):
    """Its clients are told 4009; they connect to one that is there."""
    last = trusting.comets[-1]
    one = page.open("goim", last, {"mid": mid, "room_id": room}).authenticated()
    last.term()
    one.kicked(9)
    if len(trusting.comets) == 1:
        trusting.heal()
    again = page.open("goim", trusting.comets[0], {"mid": mid, "room_id": room}).authenticated()
    trusting.api.push(mid, "welcome")
    assert again.push() == (5, b"welcome")
    again.close()
    trusting.heal()
