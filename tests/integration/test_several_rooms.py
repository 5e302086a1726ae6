"""A session in several rooms: by its token, by goim's auth, and by operations 20 to 23, in every wire form."""
import pytest

import goim
import imgo
from cluster import wait_for
from imgo import texts

JOIN, LEAVE = 20, 22


@pytest.fixture(scope="module")
def narrow(bus):
    """Few rooms per session and loop."""
    import cluster as cluster_module
    cluster = cluster_module.Cluster(bus, env={
        "IMC_COMET_ROOMS_PER_SESSION": "3", "IMC_COMET_ROOMS_MAX": "5", "IMC_COMET_COMET_WORKERS": "1"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture(autouse=True)
def empty(request):
    """The narrow cluster has no room left of an earlier test."""
    if "narrow" in request.fixturenames:
        comet = request.getfixturevalue("narrow").comets[0]
        wait_for(lambda: comet.metrics()["imc_comet_rooms"] == 0, what="earlier tests' rooms to go")


def ask(client, op, rooms):
    client.send(op, rooms.encode(), 9)
    reply = client.recv()
    assert (reply.op, reply.seq) == (op + 1, 9) and not reply.body, reply


def test_by_the_token(shared, member, uid):
    rooms = [f"{uid}-{name}" for name in ("main", "ä b", "c")]
    client = member(shared.comets[0], shared.api.token(uid, room=rooms[0], rooms=",".join(rooms[1:])))
    for room in rooms:
        shared.api.push_room(room, room)
    assert texts(client, 3) == sorted(rooms)
    wait_for(lambda: {room: 1 for room in rooms}.items() <= shared.api.counts("room").items(), 2, what="the counts")


def test_joining_and_leaving(shared, member, uid):
    a, b, c = (f"{uid}-{name}" for name in "abc")
    client = member(shared.comets[0], shared.api.token(uid, room=a))
    ask(client, JOIN, f"{b},{c},{a},{b}")
    for room in (a, b, c):
        shared.api.push_room(room, room)
    assert texts(client, 3) == [a, b, c]
    ask(client, LEAVE, f"{a},{c},{uid}-nowhere")
    for room in (a, b, c):
        shared.api.push_room(room, room)
    assert texts(client, 1) == [b]
    wait_for(lambda: shared.api.counts("room").get(b) == 1 and not {a, c} & shared.api.counts("room").keys(), 2,
             what="the counts")
    ask(client, JOIN, a)
    client.close()
    wait_for(lambda: not {a, b, c} & shared.api.counts("room").keys(), what="the rooms to vanish")


def test_many_members_of_many_rooms(shared, uids):
    """Who leaves a room takes nobody's place in another one."""
    users = uids(12)
    clients = [imgo.TcpClient(shared.comets[0].tcp).auth(shared.api.token(uid)) for uid in users]
    rooms = [f"{users[0]}-{i}" for i in range(5)]
    inside = {room: set() for room in rooms}
    for i, client in enumerate(clients):
        ask(client, JOIN, ",".join(rooms[: i % 5 + 1]))
        for room in rooms[: i % 5 + 1]:
            inside[room].add(i)
    for i, client in enumerate(clients):
        if i % 3:
            ask(client, LEAVE, ",".join(rooms[i % 2:: 2]))
            for room in rooms[i % 2:: 2]:
                inside[room].discard(i)
    for room in rooms:
        shared.api.push_room(room, room)
    for i, client in enumerate(clients):
        mine = sorted(room for room in rooms if i in inside[room])
        assert texts(client, len(mine)) == mine
        client.nothing(0.05)
        client.close()


def test_goims_auth_and_change_of_room(shared, uid):
    main, other, beside = f"{uid}-main", f"{uid}-other", f"{uid}-beside"
    token = shared.api.token(uid, room="not this", rooms="nor that")
    with goim.TcpClient(shared.comets[0].tcp) as client:
        client.auth(token=token, room_id=main, rooms=[beside, other])
        for room in (main, other, beside):
            shared.api.push_room(room, room)
        assert texts(client, 3) == sorted([main, other, beside])
        assert client.online() == 1
        client.ask(goim.CHANGE_ROOM, other.encode())  # it was there already
        for room in (main, other, beside):
            shared.api.push_room(room, room)
        assert texts(client, 2) == sorted([other, beside])
        client.ask(goim.CHANGE_ROOM, b"")
        for room in (main, other, beside):
            shared.api.push_room(room, room)
        assert texts(client, 1) == [beside]
        client.nothing(0.1)


@pytest.mark.parametrize("op", [JOIN, LEAVE])
@pytest.mark.parametrize("rooms", ["", ",", "a,", ",a", "a,,b", "r" * 129, "a\nb", "a\x7f"])
def test_bad_names(shared, member, uid, op, rooms):
    client = member(shared.comets[0], shared.api.token(uid))
    client.send(op, rooms.encode(), 9)
    assert "name" in client.kicked(3)


def test_a_session_has_so_many(narrow, member, uids):
    users = uids(1)
    rooms = [f"{users[0]}-{i}" for i in range(4)]
    client = member(narrow.comets[0], narrow.api.token(users[0], room=rooms[0]))
    ask(client, JOIN, ",".join(rooms[1:3]))
    ask(client, JOIN, rooms[1])
    ask(client, LEAVE, rooms[0])
    ask(client, JOIN, rooms[3])
    before = narrow.comets[0].metrics()['imc_comet_rooms_refused_total{limit="session"}']
    client.send(JOIN, rooms[0].encode(), 9)
    assert "as many as it may" in client.kicked(10)
    assert narrow.comets[0].metrics()['imc_comet_rooms_refused_total{limit="session"}'] == before + 1


def test_a_token_with_too_many(narrow, uid):
    client = imgo.TcpClient(narrow.comets[0].tcp)
    client.send_auth(narrow.api.token(uid, room="1", rooms="2,3,4"))
    client.kicked(10)


def test_a_node_has_so_many(narrow, uids):
    users = uids(3)
    clients = [goim.TcpClient(narrow.comets[0].tcp) for _ in users]
    for i, (client, uid) in enumerate(zip(clients, users)):
        client.auth(token=narrow.api.token(uid), rooms=[f"{uid}-{j}" for j in range(3 if i == 0 else 2 if i == 1 else 0)])
    ask(clients[2], JOIN, f"{users[0]}-0")  # no new room
    clients[2].send(JOIN, b"one too many", 9)
    assert "node" in clients[2].kicked(12)
    clients[1].send(goim.CHANGE_ROOM, b"one too many", 9)
    assert "node" in clients[1].kicked(12)
    clients[0].close()
    assert narrow.comets[0].metrics()['imc_comet_rooms_refused_total{limit="node"}'] >= 2


@pytest.mark.parametrize("rooms, words", [("a,", "comma"), (",a", "1 to 128"), ("a,,b", "1 to 128"), ("r" * 129, "1 to 128"),
                                          (",".join(["r" * 120] * 9), "1024")])
def test_bad_rooms_of_a_token(shared, uid, rooms, words):
    assert words in shared.api.refused(65534, "POST", "/1/admin/token/new", uid=uid, rooms=rooms)


def test_longest_rooms_of_a_token(shared, uid):
    rooms = [f"{i:03}{uid}".ljust(127, "x") for i in range(8)]
    with imgo.TcpClient(shared.comets[0].tcp).auth(shared.api.token(uid, rooms=",".join(rooms))) as client:
        for room in rooms:
            shared.api.push_room(room, room[:3])
        assert texts(client, 8) == [f"{i:03}" for i in range(8)]
