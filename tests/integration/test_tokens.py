"""Tokens: made in any form imgo's callers send, valid until they expire or are revoked."""
import json
import re

import pytest

from cluster import wait_for
from imgo import body_of


def is_accepted(connect, comet, token):
    client = connect(comet)
    client.send_auth(token)
    try:
        got = client.recv()
    except Exception:
        assert client.reason["code"] == 1, client.reason
        return False
    assert got.op == 8, got
    return True


def new(api, body=None, headers=(), **query):
    status, answer = api.call("POST", "/1/admin/token/new", body, headers, **query)
    assert status == 200 and answer["ret"] == 1, (status, answer)
    return answer["data"]


def test_a_token_of_the_business_decides_the_uid(shared, connect, uid):
    data = new(shared.api, uid=uid, token=f"my own ü {uid}")
    assert data["token"] == f"my own ü {uid}" and data["uid"] == uid
    client = connect(shared.comets[0], data["token"])
    shared.api.push(uid, "1")
    assert client.push() == body_of(client, "1")


def test_a_token_is_made_when_none_is_given(shared, connect, uids):
    first, second = (new(shared.api, uid=uid)["token"] for uid in uids(2))
    assert first != second
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in (first, second))
    assert is_accepted(connect, shared.comets[0], first)


@pytest.mark.parametrize("form", ["query", "form", "json", "curl"])
def test_parameters_come_in_any_form(shared, connect, uid, form):
    token, want = f"t-{form}-{uid}", {"uid": uid, "token": f"t-{form}-{uid}", "expire": 77}
    if form == "query":
        data = new(shared.api, **want)
    elif form == "form":
        data = new(shared.api, f"uid={uid}&token={token}&expire=77",
                   {"Content-Type": "application/x-www-form-urlencoded"})
    elif form == "json":
        data = new(shared.api, json.dumps(want), {"Content-Type": "application/json"})
    else:  # imgo's own example: curl -d calls a JSON body a form
        data = new(shared.api, json.dumps({**want, "uid": str(uid), "expire": "77"}),
                   {"Content-Type": "application/x-www-form-urlencoded"})
    assert data == want
    assert is_accepted(connect, shared.comets[0], token)
    assert 75 <= int(shared.redis_cli("ttl", f"imc:token:{token}")) <= 77


def test_an_expired_token_is_refused_and_its_session_stays(shared, connect, uid):
    token = shared.api.token(uid, expire=1)
    client = connect(shared.comets[0], token)
    wait_for(lambda: not is_accepted(connect, shared.comets[0], token), 5, "the token to expire", 0.1)
    shared.api.push(uid, "2")
    assert client.push() == body_of(client, "2")


def test_expire_0_means_for_ever(shared, connect, uid):
    token = shared.api.token(uid, expire=0)
    assert shared.redis_cli("ttl", f"imc:token:{token}") == "-1"
    assert is_accepted(connect, shared.comets[0], token)


def test_a_newer_token_of_the_uid_revokes_the_older(shared, connect, uid):
    old, newer = shared.api.token(uid), shared.api.token(uid)
    assert not is_accepted(connect, shared.comets[0], old)
    assert is_accepted(connect, shared.comets[0], newer)


def test_the_same_token_again_stays_valid(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.token(uid, token)
    assert is_accepted(connect, shared.comets[0], token)


def test_a_token_may_move_to_another_uid(shared, connect, uids):
    first, second = uids(2)
    token = shared.api.token(first)
    shared.api.token(second, token)
    client = connect(shared.comets[0], token)
    shared.api.push(second, "3")
    assert client.push() == body_of(client, "3")
    # The first uid's next token must not revoke what is no longer its own.
    shared.api.token(first)
    assert is_accepted(connect, shared.comets[0], token)


def test_a_token_is_revoked_by_name(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.ok("POST", "/1/admin/token/del", token=token)
    assert not is_accepted(connect, shared.comets[0], token)
    shared.api.refused(65533, "POST", "/1/admin/token/del", token=token)


def test_a_token_is_revoked_by_uid(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.ok("POST", "/1/admin/token/del", uid=uid)
    assert not is_accepted(connect, shared.comets[0], token)
    shared.api.refused(65533, "POST", "/1/admin/token/del", uid=uid)


def test_a_token_carries_a_room(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid, room=f"room-of-{uid}"))
    shared.api.push_room(f"room-of-{uid}", "4")
    assert client.push() == body_of(client, "4")


@pytest.mark.parametrize("what, query", [
    ("uid", {}), ("uid", {"uid": "x"}), ("uid", {"uid": ""}), ("uid", {"uid": 1 << 63}), ("uid", {"uid": [1, 2]}),
    ("token", {"uid": 1, "token": "x" * 513}),
    ("expire", {"uid": 1, "expire": -1}), ("expire", {"uid": 1, "expire": "soon"}),
    ("room", {"uid": 1, "room": "r" * 129}), ("accepts", {"uid": 1, "accepts": "5,x"}),
])
def test_bad_parameters_are_named(shared, what, query):
    assert shared.api.refused(65534, "POST", "/1/admin/token/new", **query).startswith(f"{what}: ")


def test_bad_bodies_are_refused(shared):
    new_token = "/1/admin/token/new"
    assert "body" in shared.api.refused(65534, "POST", new_token, '{"uid":')
    assert "uid" in shared.api.refused(65534, "POST", new_token, '{"uid":1}', uid=2)
    assert "token, uid" in shared.api.refused(65534, "POST", "/1/admin/token/del", uid=1, token="x")
    assert "token, uid" in shared.api.refused(65534, "POST", "/1/admin/token/del")
