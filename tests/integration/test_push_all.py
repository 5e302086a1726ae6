"""A push to all reaches every session, in order, as fast as `speed` lets it."""
import time

import pytest

from imgo import body_of


def test_every_session_gets_it(shared, connect, uids):
    users = uids(20)
    clients = [connect(shared.comets[0], shared.api.token(uid, room=f"r{uid % 3}")) for uid in users]
    clients.append(connect(shared.comets[0], shared.api.token(users[0])))  # a second device
    for i in range(5):
        shared.api.push_all(str(i))
    for client in clients:
        assert client.pushes(5) == [body_of(client, str(i)) for i in range(5)]
        client.nothing(0.01)


def test_not_before_auth(shared, connect, uid):
    client = connect(shared.comets[0])
    shared.api.push_all("1")
    shared.settled()
    client.nothing(0.1)
    client.auth(shared.api.token(uid))
    client.nothing()


def test_speed_is_messages_a_second(shared, connect, uids):
    clients = [connect(shared.comets[0], shared.api.token(uid)) for uid in uids(40)]
    begin = time.monotonic()
    shared.api.push_all('{"slow":1}', speed=20)
    assert time.monotonic() - begin < 1.4  # accepted before all have it, which takes 2 s at 20 a second
    assert [c.push(20) for c in clients] == [body_of(clients[0], '{"slow":1}')] * 40
    assert time.monotonic() - begin > 1.4


@pytest.mark.parametrize("what, query, body", [
    ("speed", {"speed": -1}, "x"), ("speed", {"speed": "fast"}, "x"), ("speed", {"speed": 1 << 31}, "x"),
    ("body", {}, ""), ("body", {}, "x" * 65537), ("ttl", {"ttl": -1}, "x"), ("op", {"op": 9}, "x"),
])
def test_bad_parameters_are_named(shared, what, query, body):
    assert shared.api.refused(65534, "POST", "/1/push/all", body, **query).startswith(f"{what}: ")
