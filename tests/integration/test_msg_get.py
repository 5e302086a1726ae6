"""Waiting messages by HTTP, as imgo's store answers: reading deletes nothing, `mid` confirms."""
import base64
import json

import pytest

from cluster import wait_for
from imgo import body_of


def get(cluster, **query):
    status, answer = cluster.api.call("GET", "/1/msg/get", **query)
    assert status == 200 and answer["ret"] == 0 and answer.keys() == {"ret", "data"}, (status, answer)
    return answer["data"]["msgs"]


def fill(cluster, uid, bodies):
    for body in bodies:
        cluster.api.push(uid, body)
    wait_for(lambda: cluster.mailbox(uid) == len(bodies), what="the mailbox to fill")


def test_the_answer(shared, uid):
    token = shared.api.token(uid)
    assert get(shared, uid=uid, token=token) == []
    bodies = ['{"a":1}', "x", "xy", "ünï", "x" * 5000]
    fill(shared, uid, bodies)
    messages = get(shared, uid=uid, mid=0, token=token)
    assert [base64.b64decode(m["msg"], validate=True).decode() for m in messages] == bodies
    assert all(m.keys() == {"msg", "mid", "mid_str", "gid"} and m["gid"] == 0 for m in messages)
    assert (mids := [m["mid"] for m in messages]) == sorted(set(mids)) and 0 < mids[0] and mids[-1] < 1 << 63


def test_reading_deletes_nothing(shared, connect, uid):
    token = shared.api.token(uid)
    fill(shared, uid, ["1", "2"])
    assert get(shared, uid=uid, token=token) == get(shared, uid=uid, token=token)
    client = connect(shared.comets[0], token)
    assert client.pushes(2) == [body_of(client, t) for t in "12"]
    wait_for(lambda: get(shared, uid=uid, token=token) == [], what="the device's confirmation")


def test_mid_confirms_what_is_not_newer(shared, connect, uid):
    token = shared.api.token(uid)
    fill(shared, uid, ["1", "2", "3"])
    mids = [m["mid"] for m in get(shared, uid=uid, token=token)]
    assert [m["mid"] for m in get(shared, uid=uid, token=token, mid=mids[1])] == mids[2:]
    assert [m["mid"] for m in get(shared, uid=uid, token=token)] == mids[2:]
    client = connect(shared.comets[0], token)
    assert client.push() == body_of(client, "3")
    client.nothing()


def test_jsonp(shared, uid):
    token = shared.api.token(uid)
    fill(shared, uid, ["1"])
    status, text, headers = shared.api.request("GET", f"/1/msg/get?uid={uid}&token={token}&cb=my.$call_1")
    assert status == 200 and headers["Content-Type"].startswith("application/javascript")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert text.startswith("my.$call_1(") and text.endswith(")")
    assert json.loads(text[len("my.$call_1("):-1])["data"]["msgs"][0]["msg"] == "MQ=="


def test_an_error_as_jsonp(shared, uid):
    status, text, _ = shared.api.request("GET", f"/1/msg/get?uid={uid}&token=wrong&cb=f")
    assert status == 200 and json.loads(text[len("f("):-1])["ret"] == 65533


@pytest.mark.parametrize("callback", ["", "a(b", "alert(1)//", "<script>", "a b", "x" * 65, "a;b"])
def test_a_callback_must_be_a_name(shared, uid, callback):
    token = shared.api.token(uid)
    assert shared.api.refused(65534, "GET", "/1/msg/get", uid=uid, token=token, cb=callback).startswith("cb: ")


def test_only_with_the_users_own_token(shared, uids):
    mine, yours = uids(2)
    token = shared.api.token(mine)
    assert "token" in shared.api.refused(65533, "GET", "/1/msg/get", uid=yours, token=token)
    assert "token" in shared.api.refused(65533, "GET", "/1/msg/get", uid=mine, token="wrong")


def test_the_token_is_the_key(strict, uid):
    """Browsers call this: no API key is asked for."""
    token = strict.api.token(uid)
    status, answer = strict.api.call("GET", "/1/msg/get", None, {"X-API-Key": "wrong"}, uid=uid, token=token)
    assert (status, answer["ret"]) == (200, 0)


@pytest.mark.parametrize("what, query", [
    ("uid", {"token": "x"}), ("uid", {"uid": "x", "token": "x"}), ("token", {"uid": 1}), ("token", {"uid": 1, "token": ""}),
    ("mid", {"uid": 1, "token": "x", "mid": "x"}), ("mid", {"uid": 1, "token": "x", "mid": -1}),
    ("token", {"uid": 1, "token": "x" * 513}), ("uid", {"uid": [1, 1], "token": "x"}),
])
def test_bad_parameters_are_named(shared, what, query):
    assert shared.api.refused(65534, "GET", "/1/msg/get", **query).startswith(f"{what}: ")


def test_mid_as_text_loses_no_digits(shared, uid):
    """JavaScript reads `mid` as a double: what it sends back is another number."""
    token = shared.api.token(uid)
    fill(shared, uid, ["1", "2"])
    messages = get(shared, uid=uid, token=token)
    assert [m["mid_str"] for m in messages] == [str(m["mid"]) for m in messages]
    for name in ("mid", "mid_str"):
        left = get(shared, uid=uid, token=token, **{name: messages[0]["mid_str"]})
        assert [m["mid_str"] for m in left] == [messages[1]["mid_str"]]
    assert shared.api.refused(65534, "GET", "/1/msg/get", uid=uid, token=token, mid=1, mid_str=1).startswith("mid, mid_str")


def test_web_pages_of_named_origins_may_read(strict, uid):
    path = f"/1/msg/get?uid={uid}&token={strict.api.token(uid)}"
    ours, other = {"Origin": "https://chat.example"}, {"Origin": "https://chat.example.evil"}
    for method, status in (("GET", 200), ("OPTIONS", 204)):
        got, _, headers = strict.api.request(method, path, headers=ours)
        assert (got, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (status, ours["Origin"], "Origin")
    assert headers["Access-Control-Allow-Methods"] == "GET"
    assert strict.api.request("GET", path, headers=other)[2]["Access-Control-Allow-Origin"] is None
    assert strict.api.request("OPTIONS", path, headers=other)[0] == 405
    assert strict.api.request("OPTIONS", "/1/push?uid=1", headers=ours)[0] == 405
    assert strict.api.request("GET", "/1/count?type=room", headers=ours)[2]["Access-Control-Allow-Origin"] is None
