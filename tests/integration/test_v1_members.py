"""Who is in a room, page by page, and what sessions are like: comets are asked, and one that is away fails no call."""
import time

import pytest

import goim
import imgo
from cluster import SLOW, wait_for


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(comets=3, routers=2, logics=2, env={"IMC_COMET_COMET_WORKERS": "2", "IMC_LOGIC_ROOMS_TIMEOUT": "1s"})


def get(api, path, status=200, **query):
    got, answer = api.call("GET", path, **query)
    assert got == status, (got, answer)
    return answer


def pages(api, path="/v1/rooms/members", between=None, **query):
    """The members of all pages; BETWEEN is called after each."""
    rows, cursor = [], {}
    while cursor is not None:
        page = get(api, path, **query, **cursor)
        assert page["unanswered"] == [] and len(page["members"]) <= query["limit"], page
        rows += page["members"]
        cursor = {"cursor": page["cursor"]} if "cursor" in page else None
        if between is not None:
            between()
    return rows


def enter(cluster, room, uids, comets=(0, 1, 2)):
    """Sessions of UIDS in ROOM, on COMETS in turn, by both families of clients."""
    clients = []
    for index, uid in enumerate(uids):
        comet = cluster.comets[comets[index % len(comets)]]
        token = cluster.api.token(uid, room=room)
        if index % 3 == 0:
            clients.append(goim.TcpClient(comet.tcp))
            clients[-1].auth(token=token, key=f"k-{uid}")
        else:
            clients.append((imgo.WsClient if index % 2 else imgo.TcpClient)(comet.ws if index % 2 else comet.tcp).auth(token))
    return clients


def test_each_member_once(cluster, uids):
    room, users = f"members://{uids(1)[0]}", uids(23)
    clients = enter(cluster, room, users)
    for limit in (1, 2, 7, 1000):
        for api in (cluster.logics[0].api, cluster.logics[1].api):
            rows = pages(api, room=room, limit=limit)
            assert sorted(row["uid"] for row in rows) == users, limit
    assert {row["key"] for row in rows if "key" in row} == {f"k-{uid}" for uid in users[::3]}
    assert all(row["session"].endswith("." + row["server"]) for row in rows)
    assert {row["server"] for row in rows} == {"1", "2", "3"} or len({row["server"] for row in rows}) == 3
    assert rows == pages(cluster.api, "/v1/rooms/" + room.replace("/", "%2F").replace(":", "%3a") + "/members", limit=1000)
    assert get(cluster.api, "/v1/rooms/members", room="nobody") == {"members": [], "unanswered": []}
    del clients


def test_who_stays_is_shown_once_while_others_come_and_go(cluster, uids):
    room, users = f"churn://{uids(1)[0]}", uids(30)
    clients = dict(zip(users, enter(cluster, room, users)))
    leavers, comers = users[::2], []

    def between():
        if leavers:
            clients.pop(leavers.pop()).close()
        comers.append(uids(1)[0])
        clients[comers[-1]] = enter(cluster, room, [comers[-1]], comets=(len(comers) % 3,))[0]
    rows = [row["uid"] for row in pages(cluster.api, between=between, room=room, limit=2)]
    assert [rows.count(uid) for uid in users[1::2]] == [1] * 15
    assert len({row for row in rows}) == len(rows) and set(rows) <= set(users) | set(comers)


def test_a_wrong_cursor_is_named(cluster):
    for query in ({"cursor": "x" * 12}, {"cursor": "0000000001comet"}, {"cursor": "zz00000001.comet"}, {"limit": 0},
                  {"limit": 1001}, {"room": ""}):
        answer = get(cluster.api, "/v1/rooms/members", 400, **{"room": "r", **query})
        assert answer["errors"][0]["parameter"] == next(iter(query)), answer
    assert get(cluster.api, "/v1/rooms/members", 400)["errors"][0] == {"parameter": "room", "detail": "missing"}
    # That of a comet that is gone goes on with those behind it.
    assert get(cluster.api, "/v1/rooms/members", room="r", cursor="ffffffffff.zzz") == {"members": [], "unanswered": []}


def test_sessions_with_what_only_their_comets_know(cluster, uid):
    before = int(time.time())
    token = cluster.api.token(uid, room="main", rooms="beside,another")
    tcp = imgo.TcpClient(cluster.comets[0].tcp).auth(token)
    web = goim.WsClient(cluster.comets[1].ws)
    web.auth(token=token, key="phone", platform="web", ack=True)
    long = goim.TcpClient(cluster.comets[2].tcp)
    long.auth(token=token, key="old", platform="p" * 33)

    def listed():
        answer = get(cluster.api, "/v1/sessions", uid=uid)
        return answer if answer["complete"] and len(answer["sessions"]) == 3 else None
    answer = wait_for(listed, what="three sessions")
    assert answer["unanswered"] == []
    rows = {row.get("key"): row for row in answer["sessions"]}
    for row in rows.values():
        assert before - 2 <= row["since"] <= time.time() + 2 and row["address"] == "127.0.0.1"
        assert row["room"] == row["rooms"][0] == "main" and set(row["rooms"]) == {"main", "beside", "another"}
    assert {key: (row["transport"], row["ack"], row.get("platform")) for key, row in rows.items()} == {
        None: ("tcp", False, None), "phone": ("ws", True, "web"), "old": ("tcp", False, None)}
    phone = get(cluster.api, "/v1/sessions", uid=uid, key="phone")["sessions"]
    assert [row["session"] for row in phone] == [rows["phone"]["session"]]
    del tcp, web, long


def test_a_comet_that_does_not_answer_fails_nothing(cluster, uids):
    room, users = f"frozen://{uids(1)[0]}", uids(6)
    clients = enter(cluster, room, users)
    assert len(pages(cluster.api, room=room, limit=100)) == 6
    both = uids(1)[0]
    clients += enter(cluster, "elsewhere", [both, both])
    frozen = cluster.comets[1]
    frozen_id = next(row["server"] for row in get(cluster.api, "/v1/sessions", uid=users[1])["sessions"])
    frozen.pause()
    try:
        begun = time.monotonic()
        answer = get(cluster.api, "/v1/sessions", uid=users[1])
        assert answer["unanswered"] == [frozen_id], answer
        assert [sorted(row) for row in answer["sessions"]] == [["room", "server", "session"]]
        page = get(cluster.api, "/v1/rooms/members", room=room, limit=100)
        rows, unanswered = list(page["members"]), page["unanswered"]
        while "cursor" in page:
            page = get(cluster.api, "/v1/rooms/members", room=room, limit=100, cursor=page["cursor"])
            rows += page["members"]
            unanswered += page["unanswered"]
        assert unanswered == [frozen_id]
        assert sorted(row["uid"] for row in rows) == sorted(users[0::3] + users[2::3])
        assert time.monotonic() - begun < 4.5 * SLOW
    finally:
        frozen.resume()

    def back():
        answer = get(cluster.api, "/v1/sessions", uid=users[2])
        return answer["unanswered"] == [] and "since" in answer["sessions"][0] if answer["sessions"] else None
    wait_for(back, what="details again")
    del clients


def test_rooms_by_name(cluster, uids):
    base = uids(1)[0]
    names = sorted(f"by-name-{base}/{number:02}" for number in range(17))
    clients = [imgo.TcpClient(cluster.comets[number % 3].tcp).auth(cluster.api.token(uid, room=name))
               for number, (uid, name) in enumerate(zip(uids(17), names))]
    prefix = f"by-name-{base}/"

    def listed(limit):
        rows, cursor = [], {}
        while cursor is not None:
            page = get(cluster.api, "/v1/rooms", order="name", prefix=prefix, limit=limit, **cursor)
            rows += [row["room"] for row in page["rooms"]]
            assert len(rows) <= len(names)
            cursor = {"cursor": page["cursor"]} if "cursor" in page else None
        return rows
    wait_for(lambda: listed(1000) == names, what="all rooms to be counted")
    for limit in (1, 4, 17):
        assert listed(limit) == names
    clients[5].close()
    wait_for(lambda: listed(4) == names[:5] + names[6:], what="the room to be empty")
    assert get(cluster.api, "/v1/rooms", 400, cursor="x")["errors"][0]["parameter"] == "cursor"
    assert get(cluster.api, "/v1/rooms", 400, order="size")["errors"][0]["parameter"] == "order"
    assert get(cluster.api, "/v1/rooms", 400, order="name", room="x")["errors"][0]["parameter"] == "room"
