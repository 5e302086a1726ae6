"""/v1 about users: sessions, rooms, mailboxes, tokens, who is blocked; and what it says of the cluster."""
import base64
import json
import re
import time

import pytest

import goim
import imgo
from cluster import wait_for
from imgo import body_of


def call(cluster, method, path, status=200, json_body=None, **query):
    """The answer, once it is not 503 any more: routers may still be told of a session."""
    headers = {"Content-Type": "application/json"} if json_body is not None else {}

    def answered():
        body = json.dumps(json_body) if json_body is not None else None
        got, answer = cluster.api.call(method, path, body, headers, **query)
        assert got in (status, 503), (got, answer)
        return answer if got == status else None
    return wait_for(answered, what=f"{method} {path} to be carried out", every=0.2)


def sessions(cluster, n, **query):
    """All of them, once there are N."""
    def counted():
        answer = call(cluster, "GET", "/v1/sessions", **query)
        return answer["sessions"] if answer["complete"] and len(answer["sessions"]) == n else None
    found = wait_for(counted, what=f"{n} sessions")
    return found if n > 0 else []


def test_sessions_are_listed_and_ended(shared, uid):
    token = shared.api.token(uid, room="r-1")
    tcp, ws = imgo.TcpClient(shared.comets[0].tcp).auth(token), imgo.WsClient(shared.comets[0].ws).auth(token)
    listed = sessions(shared, 2, uid=uid)
    assert {row["room"] for row in listed} == {"r-1"} and len({row["session"] for row in listed}) == 2
    assert all(row["session"].endswith("." + row["server"]) for row in listed)
    first = listed[0]["session"]
    assert call(shared, "DELETE", "/v1/sessions", uid=uid, session=first, reason="one of two") == {"sessions": 1}
    left = sessions(shared, 1, uid=uid)
    assert left[0]["session"] == listed[1]["session"]
    assert call(shared, "DELETE", "/v1/sessions", uid=uid, reason="the other") == {"sessions": 1}
    reasons = set()
    for client in (tcp, ws):
        with pytest.raises(imgo.Closed) as closed:
            client.recv()
        assert closed.value.reason["code"] == 7
        reasons.add(closed.value.reason["reason"])
    assert reasons == {"one of two", "the other"}
    assert wait_for(lambda: call(shared, "GET", "/v1/sessions", uid=uid)["sessions"] == [], what="no session")


def test_sessions_by_key(shared, uid):
    key = f"phone-{uid}"
    client = goim.TcpClient(shared.comets[0].tcp)
    client.auth(token=shared.api.token(uid), key=key)
    assert [row["key"] for row in sessions(shared, 1, key=key)] == [key]
    assert call(shared, "GET", "/v1/sessions", key=key)["uid"] == uid
    assert call(shared, "GET", "/v1/sessions", uid=uid, key="another")["sessions"] == []
    assert call(shared, "GET", "/v1/sessions", key="nobody's") == {"sessions": [], "complete": True, "unanswered": []}
    assert call(shared, "DELETE", "/v1/sessions", key="nobody's") == {"sessions": 0}
    assert call(shared, "DELETE", "/v1/sessions", key=key) == {"sessions": 1}


def test_what_sessions_have_chosen(shared, uid):
    clients = [goim.TcpClient(shared.comets[0].tcp), goim.WsClient(shared.comets[0].ws)]
    clients[0].auth(token=shared.api.token(uid), key=f"some-{uid}", accepts=[1001, 1000])
    clients[1].auth(token=shared.api.token(uid), key=f"most-{uid}")
    clients[1].ask(goim.UNSUBSCRIBE, b"1005")
    clients.append(imgo.TcpClient(shared.comets[0].tcp).auth(shared.api.token(uid)))
    rows = {row.get("key", "imgo").split("-")[0]: row for row in sessions(shared, 3, uid=uid)}
    chosen = {name: (row.get("accepts"), row.get("declines")) for name, row in rows.items()}
    assert chosen == {"some": ([1000, 1001], None), "most": (None, [1005]), "imgo": (None, None)}


def test_bytes_that_a_device_does_not_take(shared, uid):
    client = imgo.TcpClient(shared.comets[0].tcp).auth(shared.api.token(uid))
    for _ in range(12):
        shared.api.push(uid, b"x" * 60_000)

    def unsent():
        return sessions(shared, 1, uid=uid)[0]["unsent"]
    assert wait_for(lambda: unsent() > 100_000, 5, "bytes to wait")
    for _ in range(12):
        client.push()
    assert wait_for(lambda: unsent() == 0, 5, "none to wait")
    client.close()


def test_what_a_session_call_lacks_is_named(shared):
    for query, name in (({}, "uid"), ({"uid": "x"}, "uid"), ({"key": ""}, "key"), ({"uid": 1, "x": 1}, "x")):
        answer = call(shared, "GET", "/v1/sessions", status=400, **query)
        assert answer["errors"][0]["parameter"] == name, answer
    for session in ("0" * 16 + ".comet-1", "7.comet-1-and-more-of-it", "x" * 20):
        answer = call(shared, "DELETE", "/v1/sessions", status=400, uid=1, session=session)
        assert answer["errors"][0]["parameter"] == "session"


def test_rooms_are_joined_listed_and_left(shared, connect, uid):
    room = f"v1-room://{uid}"
    client = connect(shared.comets[0], shared.api.token(uid))
    sessions(shared, 1, uid=uid)
    assert call(shared, "POST", "/v1/rooms/join", json_body={"uid": uid, "room": room}) == {"sessions": 1}
    shared.api.push_room(room, "in")
    assert client.push() == body_of(client, "in")
    row = {"room": room, "sessions": 1}
    wait_for(lambda: call(shared, "GET", "/v1/rooms", room=room)["rooms"] == [row], what="the room to be counted")
    assert row in call(shared, "GET", "/v1/rooms", prefix="v1-room://", limit=1000)["rooms"]
    assert call(shared, "GET", "/v1/rooms", prefix="nothing-begins-so")["rooms"] == []
    assert call(shared, "POST", "/v1/rooms/leave", json_body={"uid": uid, "room": room}) == {"sessions": 1}
    shared.api.push_room(room, "out")
    client.nothing()
    answer = call(shared, "POST", "/v1/rooms/join", status=400, json_body={"room": room})
    assert answer["errors"][0]["pointer"] == "/uid"
    answer = call(shared, "GET", "/v1/rooms", status=400, room=room, limit=1)
    assert answer["errors"][0]["parameter"] == "room"
    call(shared, "GET", "/v1/rooms", status=400, limit=1001)


def test_a_mailbox_is_read_by_pages_and_emptied(shared, uid):
    for number in range(5):
        shared.api.push(uid, f"m{number}", op=7)
    wait_for(lambda: shared.mailbox(uid) == 5, what="all in the mailbox")
    seen, cursor = [], {}
    for _ in range(3):
        page = call(shared, "GET", "/v1/mailbox", uid=uid, limit=2, **cursor)
        seen += page["messages"]
        cursor = {"cursor": page["cursor"]} if "cursor" in page else None
    assert cursor is None
    assert [base64.b64decode(message["body_base64"]) for message in seen] == [b"m%d" % number for number in range(5)]
    assert {message["op"] for message in seen} == {7}
    assert call(shared, "DELETE", "/v1/mailbox", uid=uid, upto=seen[2]["id"]) == {"uid": uid}
    assert [m["id"] for m in call(shared, "GET", "/v1/mailbox", uid=uid)["messages"]] == [m["id"] for m in seen[3:]]
    call(shared, "DELETE", "/v1/mailbox", uid=uid, upto=seen[4]["id"])
    assert call(shared, "GET", "/v1/mailbox", uid=uid) == {"messages": []}
    assert call(shared, "GET", "/v1/mailbox", status=400)["errors"][0] == {"parameter": "uid", "detail": "missing"}
    assert call(shared, "GET", "/v1/mailbox", status=400, uid=uid, cursor="9" * 20)["errors"][0]["parameter"] == "cursor"


def test_tokens_are_made_and_taken_back(shared, uid):
    made = call(shared, "POST", "/v1/tokens", 201, {"uid": uid, "room": "a", "rooms": ["b", "c"], "expire": 60})
    assert made["uid"] == uid and made["expire"] == 60 and len(made["token"]) == 32
    client = imgo.TcpClient(shared.comets[0].tcp).auth(made["token"])
    for room in "abc":
        shared.api.push_room(room, room)
        assert client.push() == body_of(client, room)
    assert call(shared, "POST", "/v1/tokens/revoke", json_body={"token": made["token"]}) == {"sessions": 1}
    client.kicked(1)
    answer = call(shared, "POST", "/v1/tokens/revoke", 404, {"token": made["token"]})
    assert answer["code"] == "not_found"
    assert call(shared, "POST", "/v1/tokens", 400, {"uid": uid, "rooms": ["a,b"]})["errors"][0]["pointer"] == "/rooms"
    status, _, headers = shared.api.request("POST", "/v1/tokens", json.dumps({"uid": uid, "token": "t" * 512}),
                                            {"Content-Type": "application/json", "Accept-Encoding": "gzip"})
    assert status == 201 and "Content-Encoding" not in headers and headers["Cache-Control"] == "no-store"


def test_a_user_is_blocked_and_let_in_again(shared, uid):
    token = shared.api.token(uid)
    client = imgo.TcpClient(shared.comets[0].tcp).auth(token)
    assert call(shared, "POST", "/v1/users/block", json_body={"uid": uid, "seconds": 60, "reason": "spam"}) == {"sessions": 1}
    with pytest.raises(imgo.Closed) as closed:
        client.recv()
    assert closed.value.reason["code"] == 7 and closed.value.reason["reason"] == "spam"
    refused = imgo.TcpClient(shared.comets[0].tcp)
    refused.send_auth(token)
    with pytest.raises(imgo.Closed) as closed:
        refused.recv()
    assert closed.value.reason["code"] == 7
    call(shared, "POST", "/v1/users/unblock", json_body={"uid": uid})
    imgo.TcpClient(shared.comets[0].tcp).auth(token)
    assert call(shared, "POST", "/v1/users/unblock", 404, {"uid": uid})["code"] == "not_found"


def test_the_cluster_and_its_nodes(shared):
    def all_ready():
        answer = call(shared, "GET", "/v1/cluster")
        return answer if all(daemon["ready"] for daemon in answer["daemons"]) else None
    cluster = wait_for(all_ready, what="all leases to say that their daemons are ready")
    assert sorted(daemon["kind"] for daemon in cluster["daemons"]) == ["comet", "job", "logic", "router"]
    assert cluster["fresh"] and cluster["takes_pushes"] and cluster["version"]
    comet = next(daemon for daemon in cluster["daemons"] if daemon["kind"] == "comet")
    assert comet["takes_clients"] and 0 < comet["since"] <= time.time() + 60
    assert {daemon["version"] for daemon in cluster["daemons"]} == {cluster["version"]}
    assert not any("lacks" in daemon for daemon in cluster["daemons"])
    job = next(daemon for daemon in cluster["daemons"] if daemon["kind"] == "job")
    assert job["lag_ms"] < 60000 and 0 <= job["store_used"] <= 1 and job["stalled"] is False
    nodes = call(shared, "GET", "/v1/nodes")
    assert [node["server"] for node in nodes["nodes"]] == [comet["id"]]
    assert nodes["heartbeat"] > 0 and nodes["backoff"]["factor"] > 0


def test_scopes(strict):
    """Each call wants a key; changes want admin: what test_api_keys.py shows for the other faces, by the document."""
    document = json.loads(strict.api.request("GET", "/openapi.json")[1])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            status, _, _ = strict.api.request(method.upper(), re.sub("{.*?}", "a%2Fb", path),
                                              headers={"Authorization": "Bearer wrong"})
            assert status == (200 if operation.get("security") == [] else 401), path
