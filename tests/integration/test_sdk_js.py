"""sdk/js in Node and in a page of a real Chromium, against a real cluster: both forms. What only a page has is in
test_sdk_js_page.py; a cluster that changes in test_sdk_js_reconnect.py."""
import pytest

import sdk
from cluster import wait_for


@pytest.fixture(scope="module", params=["node", "node-websocket", "chromium"])
def host(request):
    if request.param == "chromium":
        made = sdk.Browser()
    elif request.param == "node":
        made = sdk.Node()
    else:  # Node's own WebSocket: since 22, and in 20 by an option
        major = sdk.node_binary()[1]
        if major < 20:
            pytest.skip(f"Node {major} has no WebSocket")
        made = sdk.Node("--experimental-websocket")
        assert made.about["websocket"] == "global"
    yield made
    made.stop()
    assert not made.faults, made.faults


@pytest.fixture(params=["binary", "json"])
def form(request):
    return request.param


@pytest.fixture
def client(shared, host, form):
    """client(token, …) has a session with the first comet."""
    opened = []

    def make(token, **options):
        url = "ws://{}:{}/sub".format(*shared.comets[0].ws)
        opened.append(host.client(url=url, token=token, form=form, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.call("close")


def test_what_waits_comes_first_then_pushes_in_order(shared, client, uid):
    bodies = ["first", '{"hello":"world"}', "ünï 推送"]
    for body in bodies:
        shared.api.push(uid, body)
    shared.settled()
    one = client(shared.api.token(uid)).opened()
    assert one.texts(3) == bodies
    for i in range(50):
        shared.api.push(uid, f"n{i}")
    assert one.texts(50) == [f"n{i}" for i in range(50)]
    shared.api.push_all("to all")
    assert one.text() == "to all"


def test_operations_and_long_messages(shared, client, uid):
    one = client(shared.api.token(uid)).opened()
    shared.api.push(uid, "x", op=1000)
    assert one.get("message") == {"op": 1000, "seq": 0, "text": "x"}
    shared.api.push(uid, "x" * 60_000)
    assert one.text() == "x" * 60_000


def test_rooms(shared, client, uids):
    first, second = uids(2)
    room, other = f"live://{first}", f"r{first}"
    one = client(shared.api.token(first), rooms=[room]).opened()
    two = client(shared.api.token(second)).opened()
    two.call("join", room)
    one.call("join", other)
    shared.api.push_room(room, "both")
    assert (one.text(), two.text()) == ("both", "both")
    one.call("leave", room)
    shared.api.push_room(room, "two only")
    assert two.text() == "two only"
    shared.api.push_room(other, "one only")
    assert one.text() == "one only"


def test_send_is_answered(shared, client, uid):
    """Nobody takes it here, so comet answers at once (docs/upstream.md)."""
    one = client(shared.api.token(uid)).opened()
    for body in ("text", {"a": [1, 2]}, ""):
        one.call("send", body)
    with pytest.raises(sdk.Failed, match="4097 bytes, of which comet takes 4096"):
        one.call("send", "x" * 4097)
    assert one.call("state") == "open"


def test_wrong_tokens(shared, client, uid):
    one = client("no such token")
    with pytest.raises(sdk.Failed) as failure:
        one.opened()
    assert (failure.value.name, failure.value.code) == ("TokenError", 1)
    closed = one.get("close")
    assert closed["willRetry"] is False and closed["error"]["name"] == "TokenError"
    assert one.call("state") == "closed"


def test_a_refused_token_is_asked_for_once_more(shared, client, uid):
    good = shared.api.token(uid)
    one = client(None, tokens=["expired", good]).opened()
    shared.api.push(uid, "hi")
    assert one.text() == "hi"
    assert one.get("retry")["error"]["name"] == "TokenError"


def test_a_token_is_renewed_in_the_open_session(shared, client, uids):
    uid, other = uids(2)
    one = client(shared.api.token(uid)).opened()
    one.call("renew", shared.api.token(uid))
    shared.api.push(uid, "the same session")
    assert one.text() == "the same session" and one.nothing("close")
    two = client(shared.api.token(uid)).opened()
    with pytest.raises(sdk.Failed) as failure:
        two.call("renew", shared.api.token(other))
    assert (failure.value.name, failure.value.code) == ("TokenError", 1)
    assert two.get("close")["willRetry"] is False


def test_heartbeats_keep_a_session(strict, host, form, uid):
    """Comet closes after a second of silence. The client beats by what comet says; to a token that is a string, as JSON has
    it, comet says nothing."""
    comet = strict.comets[0]
    url = "ws://{}:{}/sub".format(*comet.ws)
    more = {"heartbeatMs": 400} if form == "json" else {}
    before = comet.metrics()
    one = host.client(url=url, token=strict.api.token(uid), form=form, **more).opened()
    wait_for(lambda: comet.metrics()["imc_comet_frames_in_total"] - before["imc_comet_frames_in_total"] >= 9, 20,
             "eight heartbeats")
    if form == "binary":
        assert [one.get("count") for _ in range(7)] == [0] * 7  # it is in no room
    strict.api.push(uid, "still here")
    assert one.text() == "still here"
    assert one.nothing("close")
    one.call("close")
