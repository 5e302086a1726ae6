"""The business puts sessions into rooms and takes them out: POST /1/room/join and /1/room/leave."""
import contextlib

import pytest

import cluster as cluster_module
import goim
import imgo
from cluster import wait_for
from imgo import texts

JOIN, LEAVE = "/1/room/join", "/1/room/leave"
CALLS = [JOIN, LEAVE]


@pytest.fixture(scope="module")
def narrow(bus):
    """Few rooms per session and loop."""
    cluster = cluster_module.Cluster(bus, env={
        "IMC_COMET_ROOMS_PER_SESSION": "3", "IMC_COMET_ROOMS_MAX": "5", "IMC_COMET_COMET_WORKERS": "1"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def two(own_cluster):
    """Two of each, and two loops on each comet."""
    cluster = own_cluster(comets=2, logics=2, routers=2, env={
        "IMC_COMET_COMET_WORKERS": "2", "IMC_LOGIC_ROOMS_TIMEOUT": "1s"})
    wait_for(lambda: not any(cluster.api.counts("server").values()), what="earlier sessions to end")
    return cluster


def order(api, path, **query):
    """The data of the answer, once it is not 503 any more: routers may still be told of a session, or of each other."""
    def answered():
        status, answer = api.call("POST", path, **query)
        assert status in (200, 503), (status, answer)
        return answer if status == 200 else None
    answer = wait_for(answered, what=f"{path} to be carried out", every=0.2)
    assert answer.keys() == {"ret", "data"} and answer["ret"] == 1, answer
    return answer["data"]


@contextlib.contextmanager
def devices(cluster, uid, n):
    """N sessions of UID, on each comet in turn; number i is a goim client with the key "key-i" on one transport."""
    token = cluster.api.token(uid)
    with contextlib.ExitStack() as stack:
        clients = []
        for i in range(n):
            comet = cluster.comets[i % len(cluster.comets)]
            client = stack.enter_context(goim.WsClient(comet.ws) if i % 3 else goim.TcpClient(comet.tcp))
            client.auth(token=token, key=f"key-{i}")
            clients.append(client)
        yield clients


def test_joining_and_leaving(shared, member, uid):
    room, main = f"{uid}-ordered", f"{uid}-main"
    client = member(shared.comets[0], shared.api.token(uid, room=main))
    for _ in range(2):  # once more changes nothing
        assert order(shared.api, JOIN, uid=uid, room=room) == {"sessions": 1}
    shared.api.push_room(room, "in")
    assert texts(client, 1) == ["in"]
    wait_for(lambda: shared.api.counts("room").get(room) == 1, 2, what="the count")
    for _ in range(2):
        assert order(shared.api, LEAVE, uid=uid, room=room) == {"sessions": 1}
    shared.api.push_room(room, "out")
    shared.api.push_room(main, "still here")
    assert texts(client, 1) == ["still here"]
    wait_for(lambda: room not in shared.api.counts("room"), 2, what="the room to vanish")
    order(shared.api, LEAVE, uid=uid, room=main)
    shared.api.push_room(main, "not here")
    shared.api.push(uid, "end")
    assert texts(client, 1) == ["end"]


def test_the_client_and_the_business_mean_the_same_rooms(shared, member, uid):
    ours, theirs = f"{uid}-ours", f"{uid}-theirs"
    client = member(shared.comets[0], shared.api.token(uid))
    order(shared.api, JOIN, uid=uid, room=ours)
    for op, room in ((22, ours), (20, theirs)):
        client.send(op, room.encode(), 9)
        assert client.recv().op == op + 1
    shared.api.push_room(ours, "left by the client")
    shared.api.push_room(theirs, "joined by the client")
    assert texts(client, 1) == ["joined by the client"]
    order(shared.api, LEAVE, uid=uid, room=theirs)
    shared.api.push_room(theirs, "left by order")
    shared.api.push(uid, "end")
    assert texts(client, 1) == ["end"]


def test_a_goim_client_is_told_the_new_number(shared, uid):
    room = f"live://{uid}"
    with goim.TcpClient(shared.comets[0].tcp) as client:
        client.auth(token=shared.api.token(uid), room_id=room)
        assert order(shared.api, JOIN, uid=uid, room=room) == {"sessions": 1}  # its main room
        assert client.online() == 1
        order(shared.api, LEAVE, uid=uid, room=room)
        assert client.online() == 0


def test_who_has_no_session(shared, uid):
    for path in CALLS:
        assert order(shared.api, path, uid=uid, room="r") == {"sessions": 0}
    token = shared.api.token(uid)
    with imgo.TcpClient(shared.comets[0].tcp).auth(token):
        assert order(shared.api, JOIN, uid=uid, room=f"{uid}-r") == {"sessions": 1}
        assert order(shared.api, JOIN, uid=uid, room=f"{uid}-r", key="no such") == {"sessions": 0}
    # It is in the room no more when it comes back: an order is for sessions that are there.
    with imgo.TcpClient(shared.comets[0].tcp).auth(token) as client:
        shared.api.push_room(f"{uid}-r", "nobody")
        shared.api.push(uid, "end")
        assert client.push() == b"end"


def test_all_devices_or_those_of_a_key(two, uid):
    room = f"{uid}-room"
    with devices(two, uid, 8) as clients:
        assert order(two.logics[1].api, JOIN, uid=uid, room=room, key="key-5") == {"sessions": 1}
        two.api.push_room(room, "one")
        assert texts(clients[5], 1) == ["one"]
        assert order(two.logics[0].api, JOIN, uid=uid, room=room) == {"sessions": 8}
        two.api.push_room(room, "all")
        for client in clients:
            assert texts(client, 1) == ["all"]
        assert order(two.logics[1].api, LEAVE, uid=uid, room=room, key="key-0") == {"sessions": 1}
        two.api.push_room(room, "but one")
        two.api.push(uid, "end")
        for i, client in enumerate(clients):
            assert texts(client, 1 if i == 0 else 2) == (["end"] if i == 0 else ["but one", "end"])


def test_a_key_without_a_uid(two, uid):
    """The key leads to the user who connected with it last, and only his sessions with it are meant."""
    room, key = f"{uid}-room", f"device-{uid}"
    token = two.api.token(uid)
    with contextlib.ExitStack() as stack:
        for comet, name in zip(two.comets, (key, f"other-{uid}")):
            stack.enter_context(goim.TcpClient(comet.tcp)).auth(token=token, key=name)
        assert order(two.logics[1].api, JOIN, key=key, room=room) == {"sessions": 1}
        wait_for(lambda: two.api.counts("room").get(room) == 1, 2, what="the count")
        assert order(two.api, LEAVE, key=key, room=room) == {"sessions": 1}
    assert order(two.api, JOIN, key=f"nobody-{uid}", room=room) == {"sessions": 0}


def test_many_orders_at_once(two, uids):
    """Each is carried out for its own user, whichever logic it comes through."""
    users = uids(30)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(imgo.TcpClient(two.comets[i % 2].tcp).auth(two.api.token(uid)))
                   for i, uid in enumerate(users)]
        with cluster_module.concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda i: order(two.logics[i % 2].api, JOIN, uid=users[i % 30], room=f"{users[0]}-{i % 7}"),
                                 range(210)))
        assert done == [{"sessions": 1}] * 210
        for i in range(7):
            two.api.push_room(f"{users[0]}-{i}", str(i))
        for i, client in enumerate(clients):  # 30 and 7 have no common divisor: all are in all rooms
            assert texts(client, 7) == [str(i) for i in range(7)]
    assert sum(logic.metrics()["imc_logic_room_orders_pending"] for logic in two.logics) == 0


def test_who_may_not_join_is_told_and_stays(narrow, member, uid):
    rooms = [f"{uid}-{i}" for i in range(4)]
    wait_for(lambda: narrow.comets[0].metrics()["imc_comet_rooms"] == 0, what="earlier tests' rooms to go")
    client = member(narrow.comets[0], narrow.api.token(uid, room=rooms[0], rooms=",".join(rooms[1:3])))
    free = member(narrow.comets[0], narrow.api.token(uid))
    assert order(narrow.api, JOIN, uid=uid, room=rooms[3]) == {
        "sessions": 1, "refused": {"rooms.per_session": 1, "rooms.max": 0}}
    assert order(narrow.api, JOIN, uid=uid, room=rooms[0]) == {"sessions": 2}
    order(narrow.api, JOIN, uid=uid, room=f"{uid}-4", key="no such")
    assert order(narrow.api, JOIN, uid=uid, room=f"{uid}-4") == {
        "sessions": 1, "refused": {"rooms.per_session": 1, "rooms.max": 0}}
    order(narrow.api, LEAVE, uid=uid, room=rooms[3])
    order(narrow.api, LEAVE, uid=uid, room=f"{uid}-4")
    narrow.api.push(uid, "here")
    assert texts(client, 1) == texts(free, 1) == ["here"]


def test_a_full_comet(narrow, uids):
    users = uids(3)
    wait_for(lambda: narrow.comets[0].metrics()["imc_comet_rooms"] == 0, what="earlier tests' rooms to go")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(imgo.WsClient(narrow.comets[0].ws).auth(narrow.api.token(uid))) for uid in users]
        for i in range(5):
            assert order(narrow.api, JOIN, uid=users[i // 3], room=f"{users[0]}-{i}") == {"sessions": 1}
        assert order(narrow.api, JOIN, uid=users[2], room="one too many") == {
            "sessions": 0, "refused": {"rooms.per_session": 0, "rooms.max": 1}}
        assert order(narrow.api, LEAVE, uid=users[0], room=f"{users[0]}-0") == {"sessions": 1}
        wait_for(lambda: narrow.comets[0].metrics()["imc_comet_rooms"] == 4, what="the room to go")
        assert order(narrow.api, JOIN, uid=users[2], room="one too many") == {"sessions": 1}
        narrow.api.push(users[2], "here")
        assert texts(clients[2], 1) == ["here"]


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("query, words", [
    ({"room": "r"}, "uid: "), ({"room": "r", "key": ""}, "key: "), ({"room": "r", "key": ["a", "b"]}, "key: given twice"),
    ({"uid": "", "room": "r", "key": "k"}, "uid: "), ({"uid": "", "room": "r"}, "uid: "), ({"uid": "x", "room": "r"}, "uid: "),
    ({"uid": "9223372036854775808", "room": "r"}, "uid: "), ({"uid": ["1", "2"], "room": "r"}, "uid: given twice"),
    ({"uid": "1"}, "room: "), ({"uid": "1", "room": ""}, "room: "), ({"uid": "1", "room": "r" * 129}, "room: "),
    ({"uid": "1", "room": b"\xff"}, "room: "), ({"uid": "1", "room": "r", "key": b"\xff"}, "key: "),
    ({"uid": "1", "room": ["a", "b"]}, "room: given twice"),
    ({"uid": "1", "room": "r", "key": ""}, "key: "), ({"uid": "1", "room": "r", "key": "k" * 129}, "key: "),
    ({"uid": "1", "room": "r", "key": ["a", "b"]}, "key: given twice"),
])
def test_bad_parameters_are_named(shared, path, query, words):
    assert shared.api.refused(65534, "POST", path, **query).startswith(words)


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("query", [{"room": "a\nb"}, {"room": "a\x7f"}, {"room": "r", "key": "a\x00"}])
def test_control_bytes_get_nowhere(shared, path, query):
    assert "control byte" in shared.api.refused(65534, "POST", path, status=400, uid=1, **query)


@pytest.mark.parametrize("path", CALLS)
def test_longest_texts(shared, uid, path):
    room = f"{uid}-".ljust(128, "r")
    with goim.TcpClient(shared.comets[0].tcp) as client:
        client.auth(token=shared.api.token(uid), key="k" * 128)
        assert order(shared.api, path, uid=uid, room=room, key="k" * 128) == {"sessions": 1}


@pytest.mark.parametrize("path", CALLS)
def test_only_who_may(strict, path):
    assert strict.api.call("GET", path, uid=1, room="r")[0] == 405
    assert cluster_module.Api(strict.logics[0].http, "wrong").call("POST", path, uid=1, room="r")[0] == 401


def test_a_comet_that_does_not_answer(two, uid):
    room = f"{uid}-room"
    with devices(two, uid, 4) as clients:
        assert order(two.api, JOIN, uid=uid, room=room, key="key-0") == {"sessions": 1}
        two.comets[1].pause()
        status, text, headers = two.api.request("POST", f"{JOIN}?uid={uid}&room={room}")
        assert (status, headers["Retry-After"]) == (503, "1") and "comet 2 did not answer" in text, text
        two.comets[1].resume()
        assert order(two.api, JOIN, uid=uid, room=room) == {"sessions": 4}
        two.api.push_room(room, "all")
        for client in clients:
            assert texts(client, 1) == ["all"]


def test_a_comet_that_is_killed(two, uid):
    room = f"{uid}-room"
    with devices(two, uid, 4) as clients:
        assert order(two.api, JOIN, uid=uid, room=room) == {"sessions": 4}
        two.comets[1].kill9()
        status, text, headers = two.api.request("POST", f"{JOIN}?uid={uid}&room=other")
        assert (status, headers["Retry-After"]) == (503, "1") and "comet 2" in text, text
        two.comets[1].start()  # another life: the handles of the one before mean nobody in it
        assert order(two.api, LEAVE, uid=uid, room=room) == {"sessions": 2}
        two.api.push_room(room, "nobody")
        two.api.push(uid, "end")
        for client in clients[::2]:
            assert texts(client, 1) == ["end"]


def test_routers_that_are_away(two, uid):
    with devices(two, uid, 2):
        for router in two.routers:
            router.pause()
        status, text, _ = two.api.request("POST", f"{JOIN}?uid={uid}&room=r")
        assert status == 503 and "router" in text, text
        for router in two.routers:
            router.resume()
        assert order(two.api, JOIN, uid=uid, room="r") == {"sessions": 2}
