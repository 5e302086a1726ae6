"""What a business can send wrong: a clear answer in imgo's form, and the connection survives."""
import http.client
import json
import socket

import pytest

POSTS = ["/1/push", "/1/pushs", "/1/push/room", "/1/push/all", "/1/server/del", "/1/admin/token/new",
         "/1/admin/token/del"]
GETS = ["/1/count", "/1/msg/get"]


@pytest.mark.parametrize("path, allowed", [(p, "POST") for p in POSTS] + [(p, "GET") for p in GETS])
def test_a_wrong_method_is_told_the_right_one(shared, path, allowed):
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {allowed}:
        status, text, headers = shared.api.request(method, path)
        assert (status, headers["Allow"]) == (405, allowed)
        assert json.loads(text)["ret"] == 65534 and "error" in json.loads(text)


@pytest.mark.parametrize("path", ["/", "/1", "/1/push/", "/1/Push", "/2/push", "/1/push/uid"])
def test_unknown_paths(shared, path):
    shared.api.refused(65534, "GET", path, status=404)
    shared.api.refused(65534, "POST", path, "x", status=404)


@pytest.mark.parametrize("query", [
    {}, {"uid": ""}, {"uid": "abc"}, {"uid": "1x"}, {"uid": " 1"}, {"uid": "0x10"}, {"uid": "1.0"}, {"uid": "+1"},
    {"uid": str(1 << 63)}, {"uid": "-" + str((1 << 63) + 1)}, {"uid": "9" * 400}, {"uid": ["1", "2"]},
    {"uid": ["1", "1"]}, {"uid": "--1"}, {"uid": "-"},
])
def test_bad_uids_are_named(shared, query):
    assert shared.api.refused(65534, "POST", "/1/push", "x", **query).startswith("uid: ")


@pytest.mark.parametrize("number", [-1, 0, (1 << 63) - 1, -(1 << 63)])
def test_any_64_bit_number_is_a_uid(shared, connect, number):
    client = connect(shared.comets[0], shared.api.token(number))
    shared.api.push(number, "1")
    assert str(client.push()) in ("1", "b'1'")
    client.close()
    shared.api.ok("POST", "/1/admin/token/del", uid=number)


@pytest.mark.parametrize("what, query", [
    *[("op", {"op": op}) for op in (3, 6, 8)],  # heartbeat reply, disconnect, auth reply
    ("ttl", {"ttl": "x"}), ("ttl", {"ttl": -1}), ("ttl", {"ttl": 10**10}), ("ttl", {"ttl": [1, 1]}),
    ("op", {"op": -1}), ("op", {"op": 1 << 31}), ("op", {"op": 9}), ("id", {"id": ""}), ("id", {"id": "x" * 200}),
    ("id", {"id": ["a", "b"]}),
])
def test_bad_common_parameters_are_named(shared, what, query):
    assert shared.api.refused(65534, "POST", "/1/push", "x", uid=1, **query).startswith(f"{what}: ")


def test_an_empty_body_is_refused(shared):
    assert shared.api.refused(65534, "POST", "/1/push", "", uid=1).startswith("body: ")


def test_a_message_of_the_limit_passes_and_one_byte_more_does_not(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    assert "65536" in shared.api.refused(65534, "POST", "/1/push", "x" * 65537, uid=uid)
    shared.api.push(uid, "x" * 65536)
    assert len(client.push()) == 65536
    client.nothing(0.1)


def test_a_body_over_the_servers_limit(shared):
    shared.api.refused(65534, "POST", "/1/push", "x" * (1024 * 1024 + 1), status=413, uid=1)
    shared.api.ok("GET", "/1/count", type="server")


def test_a_compressed_body_is_refused(shared):
    status, text, headers = shared.api.request("POST", "/1/push?uid=1", b"\x1f\x8b", {"Content-Encoding": "gzip"})
    assert (status, json.loads(text)["ret"], headers["Accept-Encoding"]) == (415, 65534, "identity")
    assert shared.api.request("POST", "/1/push?uid=1", b"x", {"Content-Encoding": "identity"})[0] == 200


def test_operations_other_than_5(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    shared.api.push(uid, "1", op=1000)
    assert client.recv().op == 1000


def test_the_connection_survives_errors(shared):
    connection = http.client.HTTPConnection("127.0.0.1", shared.logics[0].http, timeout=10)
    connection.connect()
    first = connection.sock.getsockname()
    for method, path, body in [("GET", "/1/push", None), ("POST", "/nowhere", "x"), ("POST", "/1/push", "x"),
                               ("POST", "/1/push?uid=1", "x" * 65537), ("POST", "/1/pushs", "{"),
                               ("PUT", "/1/count", None), ("GET", "/1/count?type=x", None),
                               ("GET", "/1/count?type=server", None)]:
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.headers["Content-Type"].startswith("application/json")
        assert connection.sock is not None and connection.sock.getsockname() == first, (method, path)
    assert answer["ret"] == 1
    connection.close()


def raw(cluster, data, timeout=8):
    """Everything that comes for DATA until the server closes."""
    with socket.create_connection(("127.0.0.1", cluster.logics[0].http), timeout) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while got := sock.recv(65536):
            answer += got
    return answer


@pytest.mark.parametrize("data, status", [
    (b"garbage\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /1/push%3Fuid=1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"POST /1/push?uid=1 HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\nx", 400),
    (b"POST /1/push?uid=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100000 + b"\r\n\r\n", 431),
])
def test_what_is_not_http_is_refused_in_words(shared, data, status):
    answer = raw(shared, data)
    head, body = answer.split(b"\r\n\r\n", 1)
    assert int(head.split()[1]) == status, head
    assert json.loads(body)["ret"] == 65534 and json.loads(body)["error"], body
    assert shared.api.ok("GET", "/1/count", type="server")


def test_pipelined_requests_are_answered_in_order(shared):
    ask = b"GET /1/count?type=server HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = raw(shared, ask * 10)
    assert [int(part.split()[0]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200, 404] * 10


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}, {"Authorization": "Bearer "},
    {"Authorization": "key-one"}, {"X-API-Key": "key-on"}, {"X-API-Key": "key-one,key-two"},
])
def test_a_wrong_key_is_refused(strict, headers):
    for path in POSTS:
        status, answer = strict.api.call("POST", path, "x", headers, uid=1)
        assert (status, answer["ret"]) == (401, 65533) and answer["error"]


def test_a_missing_key_is_refused(strict):
    connection = http.client.HTTPConnection("127.0.0.1", strict.logics[0].http, timeout=10)
    connection.request("POST", "/1/push?uid=1", "x")
    response = connection.getresponse()
    assert response.status == 401 and json.loads(response.read())["ret"] == 65533
    assert response.headers["WWW-Authenticate"] == "Bearer"
    connection.close()


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer key-one"}, {"Authorization": "bearer key-two"}, {"X-API-Key": "key-two"},
])
def test_any_right_key_is_let_in(strict, headers):
    status, answer = strict.api.call("GET", "/1/count", None, headers, type="server")
    assert (status, answer["ret"]) == (200, 1)
