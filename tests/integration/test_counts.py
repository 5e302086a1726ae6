"""Counts by room and by server; what is a number is told as a number."""
import json

from cluster import wait_for


def test_rooms_by_name_and_by_number(shared, connect, uids):
    users = uids(4)
    rooms = [f"live://{users[0]}", str(users[1]), f"0{users[2]}", f"ü\"{users[3]}"]
    clients = [connect(shared.comets[0], shared.api.token(uid, room=room)) for uid, room in zip(users, rooms)]
    named = {rooms[0], int(rooms[1]), rooms[2], rooms[3]}
    wait_for(lambda: named <= shared.api.counts("room").keys(), 2, what="the counts")
    status, text, headers = shared.api.request("GET", "/1/count?type=room")
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    rows = json.loads(text)["data"]
    for name in named:
        assert {"RoomId": name, "Count": 1} in rows
    for client in clients:
        client.close()
    wait_for(lambda: not named & shared.api.counts("room").keys(), what="the rooms to vanish")


def test_devices_of_one_user_count_each(shared, connect, uid):
    token = shared.api.token(uid, room=f"devices-{uid}")
    clients = [connect(shared.comets[0], token) for _ in range(3)]
    wait_for(lambda: shared.api.counts("room").get(f"devices-{uid}") == 3, 2, what="all three")
    clients[0].close()
    wait_for(lambda: shared.api.counts("room")[f"devices-{uid}"] == 2, what="one device less")


def test_servers(shared, connect, uids):
    wait_for(lambda: shared.api.counts("server") in ({}, {1: 0}), what="earlier tests' sessions to end")
    clients = [connect(shared.comets[0], shared.api.token(uid)) for uid in uids(5)]
    assert shared.api.counts("server") == {1: 5}
    for client in clients[:2]:
        client.close()
    wait_for(lambda: shared.api.counts("server") == {1: 3}, what="two sessions less")


def test_connections_without_auth_do_not_count(shared, connect):
    wait_for(lambda: shared.api.counts("server") in ({}, {1: 0}), what="earlier tests' sessions to end")
    client = connect(shared.comets[0])
    assert shared.api.counts("server") in ({}, {1: 0})
    client.send_auth("wrong")
    client.kicked(1)
    assert shared.api.counts("server") in ({}, {1: 0})


def test_bad_parameters_are_named(shared):
    for query in ({}, {"type": "x"}, {"type": ""}, {"type": ["room", "server"]}):
        assert shared.api.refused(65534, "GET", "/1/count", **query).startswith("type: ")
