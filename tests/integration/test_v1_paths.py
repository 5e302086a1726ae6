"""Names in paths: percent-escapes are read there, once, and nowhere else; what a proxy may read as another path is not."""
import http.client
import json

import pytest

import imgo
from cluster import wait_for


def ask(cluster, method, target):
    """(status, answer): TARGET goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", cluster.logics[0].http, timeout=30)
    connection.putrequest(method, target, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


@pytest.mark.parametrize("escaped, name", [
    ("plain-7", "plain-7"), ("live:%2F%2F7", "live://7"), ("live%3a%2f%2f7", "live://7"), ("a%20b+c", "a b+c"),
    ("%C3%A4", "ä"), ("%252F", "%2F"), ("...", "..."), ("a%5Cb", "a\\b"), ("members%2Fx", "members/x"), ("%6aoin", "join")])
def test_a_room_in_a_path(shared, escaped, name):
    status, answer = ask(shared, "GET", f"/v1/rooms/{escaped}")
    assert status == 200 and answer["room"] == name and answer["sessions"] == 0, answer
    assert ask(shared, "GET", f"/v1/rooms/{escaped}/members") == (200, {"members": [], "unanswered": []})


def test_it_is_the_room_that_is_meant(shared, uid):
    room = f"live://{uid}/ä"
    client = imgo.TcpClient(shared.comets[0].tcp).auth(shared.api.token(uid, room=room))
    path = f"/v1/rooms/live:%2f%2F{uid}%2F%C3%A4"
    wait_for(lambda: ask(shared, "GET", path)[1]["sessions"] == 1, what="the room to be counted")
    assert [row["uid"] for row in ask(shared, "GET", f"{path}/members?limit=5")[1]["members"]] == [uid]
    assert ask(shared, "GET", path.replace("%2f%2F", "%252f%2F"))[1]["sessions"] == 0
    client.close()


def test_a_token_in_a_path(shared, uid):
    token = shared.api.token(uid, token=f"t/{uid}?%")
    client = imgo.TcpClient(shared.comets[0].tcp).auth(token)
    path = f"/v1/tokens/t%2F{uid}%3F%25"
    answer = wait_for(lambda: (lambda got: got if got[0] != 503 else None)(ask(shared, "DELETE", path)), what="the comet")
    assert answer == (200, {"sessions": 1})
    client.kicked(1)
    status, answer = ask(shared, "DELETE", path)
    assert (status, answer["code"]) == (404, "not_found")


@pytest.mark.parametrize("target, word", [
    ("/v1/rooms/%00", "control"), ("/v1/rooms/a%0ab/members", "control"), ("/v1/rooms/%7f", "control"),
    ("/v1/rooms/%2e%2e", "dot segment"), ("/v1/rooms/..%2Fpush", "dot segment"), ("/v1/rooms/a%2F..%2Fb/members", "dot segment"),
    ("/v1/rooms/..%5Cpush", "dot segment"), ("/v1/rooms/%", "hexadecimal"), ("/v1/rooms/%4", "hexadecimal"),
    ("/v1/rooms/%zz/members", "hexadecimal"), ("/v1/rooms//members", "empty segment"),
    ("/v1/%72ooms/7", "an escape"), ("/v1%2Frooms/7", "an escape"), ("/v1/rooms/7/%6dembers", "an escape"),
    ("/%76%31/rooms/7", "an escape"), ("/1/%63ount?type=room", "an escape"), ("/openapi%2Ejson", "an escape")])
def test_what_another_server_may_read_otherwise(shared, target, word):
    connection = http.client.HTTPConnection("127.0.0.1", shared.logics[0].http, timeout=30)
    connection.putrequest("GET", target)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 400 and word in text, (answer.status, text)


def test_a_name_is_checked_as_in_a_parameter(shared):
    for target, status in (("/v1/rooms/" + "a" * 128, 200), ("/v1/rooms/" + "a" * 129, 400), ("/v1/rooms/%FF", 400),
                           ("/v1/rooms/" + "%C3%A4" * 65, 400), ("/v1/rooms/7?room=8", 400), ("/v1/rooms/7/members?room=8", 400)):
        got, answer = ask(shared, "GET", target)
        assert got == status, (target, answer)
        assert got == 200 or answer["errors"][0]["parameter"] == "room", answer


def test_paths_without_names_come_first(shared):
    """A room of such a name has the other form."""
    for name in ("join", "leave"):
        status, answer = ask(shared, "GET", f"/v1/rooms/{name}")
        assert (status, answer["code"]) == (405, "method_not_allowed")
        assert ask(shared, "GET", f"/v1/rooms?room={name}")[1]["rooms"] == [{"room": name, "sessions": 0}]
    assert ask(shared, "GET", "/v1/rooms/members")[1]["errors"][0]["parameter"] == "room"
    assert ask(shared, "GET", "/v1/rooms/members?room=members")[0] == 200
    assert ask(shared, "GET", "/v1/rooms/7/8")[0] == 404
    assert ask(shared, "POST", "/v1/rooms/7/members")[0] == 405
