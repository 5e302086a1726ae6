"""The same id within five minutes is pushed once and answered as the first time."""
import concurrent.futures
import os

from cluster import wait_for
from imgo import body_of


def test_the_same_id_is_pushed_once(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    key = os.urandom(8).hex()
    answers = [shared.api.call("POST", "/1/push", "1", uid=uid, id=key) for _ in range(3)]
    assert answers == [(200, {"ret": 1})] * 3
    assert client.push() == body_of(client, "1")
    client.nothing()
    shared.api.push(uid, "2", id=key + "x")
    assert client.push() == body_of(client, "2")


def test_at_the_same_time(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    key = os.urandom(8).hex()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(shared.api.call, "POST", "/1/push", "1", uid=uid, id=key) for _ in range(16)]
    assert [call.result() for call in calls] == [(200, {"ret": 1})] * 16
    assert client.push() == body_of(client, "1")
    client.nothing()


def test_for_many_users_a_room_and_all(shared, connect, uids):
    users = uids(2)
    room = f"idem-{users[0]}"
    clients = [connect(shared.comets[0], shared.api.token(uid, room=room)) for uid in users]
    for path, body, query in [("/1/pushs", '{"u":[%d,%d],"m":1}' % tuple(users), {}), ("/1/push/room", "2", {"rid": room}),
                              ("/1/push/all", "3", {})]:
        key = os.urandom(8).hex()
        for _ in range(2):
            shared.api.ok("POST", path, body, id=key, **query)
    for client in clients:
        assert sorted(map(str, client.pushes(3))) == sorted(str(body_of(client, t)) for t in "123")
        client.nothing(0.2)


def test_a_user_who_is_away_finds_it_once(shared, connect, uid):
    key = os.urandom(8).hex()
    for _ in range(3):
        shared.api.push(uid, "1", id=key)
    wait_for(lambda: shared.mailbox(uid) == 1, what="the message in the mailbox")
    client = connect(shared.comets[0], shared.api.token(uid))
    assert client.push() == body_of(client, "1")
    client.nothing()


def test_what_was_refused_is_not_remembered(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    key = os.urandom(8).hex()
    shared.api.refused(65534, "POST", "/1/push", "", uid=uid, id=key)
    shared.api.push(uid, "1", id=key)
    assert client.push() == body_of(client, "1")
