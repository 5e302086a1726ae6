"""Rooms: a message to a room reaches the sessions whose tokens carry that room, and nobody else."""
import pytest

from cluster import wait_for
from imgo import body_of


def test_members_only(shared, connect, uids):
    users = uids(5)
    room, other = f"live://{users[0]}", f"live://{users[1]}"
    members = [connect(shared.comets[0], shared.api.token(uid, room=room)) for uid in users[:2]]
    others = [connect(shared.comets[0], shared.api.token(uid, room=other)) for uid in users[2:4]]
    nowhere = connect(shared.comets[0], shared.api.token(users[4]))
    shared.api.push_room(room, '{"in":1}')
    assert [c.push() for c in members] == [body_of(nowhere, '{"in":1}')] * 2
    shared.api.push_room(other, '{"in":2}', ensure=1)
    assert [c.push() for c in others] == [body_of(nowhere, '{"in":2}')] * 2
    for client in [nowhere, *members]:
        client.nothing(0.1)


def test_order_in_a_room(shared, connect, uids):
    users = uids(3)
    room = f"order-{users[0]}"
    members = [connect(shared.comets[0], shared.api.token(uid, room=room)) for uid in users]
    for i in range(300):
        shared.api.push_room(room, str(i))
    for client in members:
        assert client.pushes(300) == [body_of(client, str(i)) for i in range(300)]


def test_a_room_and_a_push_to_the_user(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid, room=f"both-{uid}"))
    shared.api.push(uid, "1")
    shared.api.push_room(f"both-{uid}", "2")
    assert sorted(map(str, client.pushes(2))) == sorted(str(body_of(client, t)) for t in "12")


def test_counts_follow_members(shared, connect, uids):
    users = uids(3)
    text, number = f"count-{users[0]}", users[0]
    clients = [connect(shared.comets[0], shared.api.token(uid, room=room))
               for uid, room in zip(users, (text, text, number))]
    # a room that is a number is told as one
    wait_for(lambda: {text: 2, number: 1}.items() <= shared.api.counts("room").items(), 2, what="the counts")
    clients[0].close()
    wait_for(lambda: shared.api.counts("room")[text] == 1, what="the first to leave")
    clients[1].reset()
    clients[2].close()
    wait_for(lambda: not {text, number} & shared.api.counts("room").keys(), what="the rooms to vanish")


def test_nothing_waits_for_those_who_are_away(shared, connect, uid):
    token = shared.api.token(uid, room=f"gone-{uid}")
    shared.api.push_room(f"gone-{uid}", "1")
    shared.settled()
    client = connect(shared.comets[0], token)
    client.nothing()
    assert shared.mailbox(uid) == 0


@pytest.mark.parametrize("size", [1, 128])
def test_room_names_at_their_limits(shared, connect, uid, size):
    room = f"{uid}"[-size:].rjust(size, "r")
    client = connect(shared.comets[0], shared.api.token(uid, room=room))
    shared.api.push_room(room, "9")
    assert client.push() == body_of(client, "9")


@pytest.mark.parametrize("what, query, body", [
    ("rid", {}, "x"), ("rid", {"rid": ""}, "x"), ("rid", {"rid": "r" * 129}, "x"), ("rid", {"rid": ["a", "b"]}, "x"),
    ("body", {"rid": "a"}, ""), ("body", {"rid": "a"}, "x" * 65537),
])
def test_bad_parameters_are_named(shared, what, query, body):
    assert shared.api.refused(65534, "POST", "/1/push/room", body, **query).startswith(f"{what}: ")
