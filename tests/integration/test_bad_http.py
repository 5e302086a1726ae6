"""Bad input on logic's HTTP API and every daemon's admin port: a status, words in the face's own form, and the connection
survives where HTTP allows."""
import json
import time

import pytest

import imgo
from hostile import IDLE_S, SLOW, TLS_HELLO, Raw, hostile, hostile_cluster, http_complete, http_responses, wait_for, world  # noqa: F401 (fixtures)

MAX_HEADER, API_BODY, ADMIN_BODY = 32768, 1 << 20, 4096


def post(path, body=b"", *lines, length=None):
    """A POST whose Content-Length is that of BODY, LENGTH, or (False) absent."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *lines]
    if length is not False:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def get(path, *lines):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines]).encode("latin-1") + b"\r\n\r\n"


CHUNKED = "Transfer-Encoding: chunked"
PUSH = "/1/push?uid=1"

# What is no HTTP, or too much of it: the same on every HTTP port; the connection ends.
BROKEN = {
    "garbage": (b"\x01\x02\x03\xff\xfe" * 100, 400),
    "zeros": (bytes(1000), 400),
    "a TLS hello": (TLS_HELLO, 400),
    "an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "imgo's frame": (imgo.frame(7, b"token"), 400),
    "a method alone": (b"GET\r\n\r\n", 400),
    "an unknown method": (b"PUSH / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 505),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "another protocol": (b"GET / SIP/2.0\r\nHost: localhost\r\n\r\n", 400),
    "a target that is no path": (b"GET nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "CONNECT": (b"CONNECT h:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "NUL in the path": (get("/1/\0count"), 400),
    "a control character in the path": (get("/1/\x01count"), 400),
    "%00 in the path": (get("/1/%00count"), 400),
    "%2F in the path": (post("/1%2Fpush?uid=1", b"x"), 400),
    "a dot segment": (post("/x/../1/push?uid=1", b"x"), 400),
    "a dot segment in escapes": (post("/x/%2e%2e/1/push?uid=1", b"x"), 400),
    "an empty segment": (post("//1/push?uid=1", b"x"), 400),
    "a fragment": (post("/1/push?uid=1#x", b"x"), 400),
    "another host's target": (post("http://x/1/push?uid=1", b"x"), 400),
    "%zz in the path": (get("/1/%zzcount"), 400),
    "half an escape in the path": (get("/1/count%4"), 400),
    "an escape in the path that needs none": (get("/1/%63ount?type=room"), 400),
    "a protocol of the kind": (b"GET /1/count?type=room RTSP/1.0\r\nHost: localhost\r\n\r\n", 505),
    "an address without its bracket": (b"GET /1/count?type=room HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    "a request line beyond the limit": (get("/" + "a" * MAX_HEADER), 431),
    "a header beyond the limit": (get("/", "X: " + "a" * MAX_HEADER), 431),
    "a name beyond the limit": (get("/", "a" * MAX_HEADER + ": x"), 431),
    "10,000 headers": (get("/", *["a: b"] * 10_000), 431),
    "1 MiB of header without an end": (b"GET / HTTP/1.1\r\nX: " + b"a" * (1 << 20), 431),
    "a line without colon": (get("/", "nonsense"), 400),
    "a blank before the colon": (get("/", "Content-Length : 5"), 400),
    "NUL in a header": (get("/", "X: a\0b"), 400),
    "NUL first in a header": (get("/", "X: \0b"), 400),
    "a folded header": (get("/", "X: a", " b"), 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get("/", "Host: x"), 400),
    "two keys": (get("/", "X-API-Key: x", "X-API-Key: y"), 400),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", 505),
    "two keys in two headers": (get("/", "Authorization: Bearer x", "X-API-Key: y"), 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + CHUNKED.encode() + b"\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (post(PUSH, b"0\r\n\r\n", CHUNKED, CHUNKED, length=False), 400),
    "a chunk without CR LF": (post(PUSH, b"1\r\nxXX0\r\n\r\n", CHUNKED, length=False), 400),
    "a bare CR in a header": (get("/", "X: a\rb"), 400),
    "a control character in a name": (get("/", "X\x01: a"), 400),
    "length -1": (post(PUSH, b"", length="-1"), 400),
    "length +5": (post(PUSH, b"hello", length="+5"), 400),
    "length 0x5": (post(PUSH, b"hello", length="0x5"), 400),
    "length 5 5": (post(PUSH, b"hello", length="5 5"), 400),
    "length 5, 5": (post(PUSH, b"hello", length="5, 5"), 400),
    "length nonsense": (post(PUSH, b"hello", length="five"), 400),
    "length empty": (post(PUSH, b"hello", length=""), 400),
    "length beyond 64 bits": (post(PUSH, b"", length="99999999999999999999999"), 400),
    "length of 2^64": (post(PUSH, b"", length="18446744073709551616"), 400),
    "length of 2^63": (post(PUSH, b"", length="9223372036854775808"), 413),
    "length of 1 GiB": (post(PUSH, b"", length=1 << 30), 413),
    "two lengths": (post(PUSH, b"hello", "Content-Length: 6"), 400),
    "the same length twice": (post(PUSH, b"hello", "Content-Length: 5"), 400),
    "a length and chunks": (post(PUSH, b"0\r\n\r\nGET /1/admin HTTP/1.1\r\n\r\n", CHUNKED), 400),
    "chunks and a length": (post(PUSH, b"5\r\nhello\r\n0\r\n\r\n", "Content-Length: 4", CHUNKED, length=False), 400),
    "chunked in disguise": (post(PUSH, b"hello", "Transfer-Encoding: xchunked"), 400),
    "chunked, then not": (post(PUSH, b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked, identity", length=False), 400),
    "a chunk's size is no number": (post(PUSH, b"zz\r\nhello\r\n0\r\n\r\n", CHUNKED, length=False), 400),
    "a chunk's size is negative": (post(PUSH, b"-5\r\nhello\r\n0\r\n\r\n", CHUNKED, length=False), 400),
    "a chunk's size is missing": (post(PUSH, b"\r\nhello\r\n0\r\n\r\n", CHUNKED, length=False), 400),
    "a chunk beyond 64 bits": (post(PUSH, b"fffffffffffffffff\r\nhello", CHUNKED, length=False), 400),
    "a chunk longer than it says": (post(PUSH, b"3\r\nhello\r\n0\r\n\r\n", CHUNKED, length=False), 400),
    "chunks beyond the limit": (post(PUSH, (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 40, CHUNKED, length=False), 413),
}

PORTS = ["api", "comet", "logic", "router", "job"]


def port_of(world, name):
    return world.logic.http if name == "api" else getattr(world, name).admin


def is_imgo_error(response, words=""):
    answer = json.loads(response.body)
    return answer.keys() == {"ret", "error"} and answer["ret"] == 65534 and words in answer["error"] and answer["error"]


@pytest.mark.parametrize("case", BROKEN)
def test_broken_http(world, case):
    data, status = BROKEN[case]
    with world.rises(world.logic, 'imc_logic_refused_total{reason="http"}'):
        for port in PORTS:
            with Raw(port_of(world, port), data) as raw:
                answers = http_responses(raw.all())
                assert [a.status for a in answers] == [status], (port, answers)
                assert answers[0].headers["connection"] == "close" and raw.end == "closed", port
                if port == "api":
                    assert is_imgo_error(answers[0]), answers
                else:
                    assert answers[0].headers["content-type"].startswith("text/plain") and answers[0].body.strip(), port


@pytest.mark.parametrize("port", PORTS)
def test_a_body_at_the_limit_and_one_byte_beyond(world, port):
    limit = API_BODY if port == "api" else ADMIN_BODY
    with Raw(port_of(world, port), post("/1/pushs", b"x" * limit)) as raw:
        raw.until(http_complete(1))
        answer = http_responses(raw.data)[0]
        assert answer.status == (200 if port == "api" else 404) and "connection" not in answer.headers
        raw.data = b""
        raw.send(post("/1/pushs", b"x" * (limit + 1)))
        assert [a.status for a in http_responses(raw.all())] == [413]


@pytest.mark.parametrize("port", PORTS[1:])
def test_admin_pages_refuse_what_they_do_not_serve(world, port):
    """On one connection, which survives all of it."""
    requests = [(get("/nothing"), 404),
                (post("/metrics", b"x"), 405), (b"DELETE /config HTTP/1.1\r\nHost: localhost\r\n\r\n", 405), (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
                (get("/metrics?" + "a&" * 5000), 200), (get("/readyz"), 200)]
    with Raw(port_of(world, port), b"".join(data for data, _ in requests)) as raw:
        raw.until(http_complete(len(requests)))
        assert [a.status for a in http_responses(raw.data)] == [status for _, status in requests]


# The connection survives: (request, status, ret, words)
REFUSED = {
    "another path": (get("/1/nothing"), 404, 65534, "path"),
    "another method": (get("/1/push?uid=1"), 405, 65534, "POST"),
    "PATCH": (b"PATCH /1/count HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, 65534, "GET"),
    "no length, no body": (post(PUSH, length=False), 200, 65534, "body"),
    "an empty body": (post(PUSH), 200, 65534, "body"),
    "an empty chunked body": (post(PUSH, b"0\r\n\r\n", CHUNKED, length=False), 200, 65534, "body"),
    "no uid": (post("/1/push", b"x"), 200, 65534, "uid"),
    **{f"uid {uid!r}": (post(f"/1/push?uid={uid}", b"x"), 200, 65534, "uid")
       for uid in ("", "x", "1x", "%201", "+1", "1.0", "0x1", "1e3", "%zz", "%", "%0", "%ff", "9223372036854775808", "9" * 5000)},
    **{f"{escape} in a parameter": (post(f"/1/push?uid=1&id=a{escape}b", b"x"), 400, 65534, "parameter") for escape in ("%00", "%0a", "%0D", "%7f")},
    "uid twice": (post("/1/push?uid=1&uid=1", b"x"), 200, 65534, "uid"),
    "5,000 times uid": (post("/1/push?" + "uid=1&" * 5000, b"x"), 200, 65534, "uid"),
    "10,000 parameters, but no uid": (post("/1/push?" + "a&" * 10_000, b"x"), 200, 65534, "uid"),
    "ttl -1": (post(PUSH + "&ttl=-1", b"x"), 200, 65534, "ttl"),
    "op 9": (post(PUSH + "&op=9", b"x"), 200, 65534, "op"),
    "op -1": (post(PUSH + "&op=-1", b"x"), 200, 65534, "op"),
    "id of 1,000 bytes": (post(PUSH + "&id=" + "x" * 1000, b"x"), 200, 65534, "id"),
    "a message beyond the limit": (post(PUSH, b"x" * 65537), 200, 65534, "65536"),
    "a room of 129 bytes": (post("/1/push/room?rid=" + "x" * 129, b"x"), 200, 65534, "rid"),
    "a room that is not UTF-8": (post("/1/push/room?rid=%ff%fe", b"x"), 200, 65534, "rid"),
    "speed -1": (post("/1/push/all?speed=-1", b"x"), 200, 65534, "speed"),
    "speed of 2^31": (post("/1/push/all?speed=2147483648", b"x"), 200, 65534, "speed"),
    **{f"pushs {name}": (post("/1/pushs", body), 200, 65534, words) for name, body, words in (
        ("without a body", b"", "body"), ("garbage", b"\xff\x00\x01", "body"), ("an array", b"[]", "body"),
        ("half", b'{"u":[1],"m":', "body"), ("not UTF-8", b'{"u":[1],"m":"\xff"}', "body"), ("NUL", b'{"u":[1],"m":1}\0', "body"),
        ("100,000 brackets", b"[" * 100_000, "body"), ("100,000 brackets in m", b'{"u":[1],"m":' + b"[" * 100_000, "body"),
        ("u missing", b'{"m":1}', "u"), ("m missing", b'{"u":[1]}', "m"), ("u twice", b'{"u":[1],"u":[2],"m":1}', "u"),
        ("m twice", b'{"u":[1],"m":1,"m":2}', "m"), ("u empty", b'{"u":[],"m":1}', "u"), ("u null", b'{"u":null,"m":1}', "u"),
        ("u nested", b'{"u":[[1]],"m":1}', "u"), ("u with a string", b'{"u":["1"],"m":1}', "u"), ("u 1.5", b'{"u":[1.5],"m":1}', "u"),
        ("u 1e400", b'{"u":[1e400],"m":1}', "u"), ("u beyond 64 bits", b'{"u":[99999999999999999999],"m":1}', "u"),
        ("u ',,'", b'{"u":"1,,2","m":1}', "u"), ("u '1,'", b'{"u":"1,","m":1}', "u"), ("u 'x'", b'{"u":"x","m":1}', "u"),
        ("10,001 users", json.dumps({"u": list(range(10_001)), "m": 1}).encode(), "u"),
        ("a long message", b'{"u":[1],"m":"' + b"x" * 70_000 + b'"}', "m"))},
    **{f"token/new {name}": (post("/1/admin/token/new", body), 200, 65534, words) for name, body, words in (
        ("without anything", b"", "uid"), ("half", b'{"uid":', "body"), ("deep", b'{"uid":' + b"[" * 5000, "body"),
        ("uid twice", b'{"uid":1,"uid":2}', "body"), ("uid nested", b'{"uid":{"a":1}}', "uid"), ("uid true", b'{"uid":true}', "uid"),
        ("NUL behind it", b'{"uid":1}\0', "body"), ("NUL in the token", b'{"uid":1,"token":"a\\u0000b"}', "body"), ("token of 1,000 bytes", b'{"uid":1,"token":"' + b"x" * 1000 + b'"}', "token"),
        ("expire -1", b'{"uid":1,"expire":-1}', "expire"), ("accepts 'x'", b'{"uid":1,"accepts":"x"}', "accepts"),
        ("room of 1,000 bytes", b'{"uid":1,"room":"' + b"x" * 1000 + b'"}', "room"))},
    "token/new in a form of 300,000 parameters": (
        post("/1/admin/token/new", b"a&" * 300_000, "Content-Type: application/x-www-form-urlencoded"), 200, 65534, "too many parameters"),
    "token/new in a form with NUL": (
        post("/1/admin/token/new", b"uid=1&token=a\0b", "Content-Type: application/x-www-form-urlencoded"), 200, 65534, "control byte"),
    "token/del with neither": (post("/1/admin/token/del"), 200, 65534, "exactly one"),
    "token/del of an unknown one": (post("/1/admin/token/del?token=nobody-has-it"), 200, 65533, "token"),
    "server/del without server": (post("/1/server/del"), 200, 65534, "server"),
    "count of nothing": (get("/1/count?type=all"), 200, 65534, "type"),
    "msg/get without a token": (get("/1/msg/get?uid=1"), 200, 65534, "token"),
    "msg/get with a bad callback": (get("/1/msg/get?uid=1&token=x&cb=alert(1)//"), 200, 65534, "cb"),
    "msg/get with mid -1": (get("/1/msg/get?uid=1&token=x&mid=-1"), 200, 65534, "mid"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_the_connection_survives(world, case):
    data, status, ret, words = REFUSED[case]
    with Raw(world.logic.http, data) as raw:
        raw.until(http_complete(1))
        answer = http_responses(raw.data)[0]
        assert answer.status == status and json.loads(answer.body)["ret"] == ret, answer
        assert words in json.loads(answer.body)["error"], answer
        raw.data = b""
        raw.send(get("/1/count?type=room")).until(http_complete(1))
        assert json.loads(http_responses(raw.data)[0].body)["ret"] == 1


def test_odd_but_right(world):
    """One connection, one session that gets them all, in order."""
    client, uid = world.session("tcp")
    path = f"/1/push?uid={uid}"
    odd = {
        b"1": post(path + "&" + "a&" * 10_000, b"1"),
        b"2": post(path, b"1\r\n2\r\n0\r\n\r\n", CHUNKED, length=False),
        b"33": post(path, b"1;x=\"y\"\r\n3\r\n00001\r\n3\r\n0\r\nTrailer: x\r\n\r\n", CHUNKED, length=False),
        b"4": post(f"http://localhost{path}", b"4"),
        b"5": post(f"/1/push?u%69d=%{ord(str(uid)[0]):02x}{str(uid)[1:]}", b"5"),
        b"6": b"\r\n\r\n" + post(path, b"6", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        b"7": post(path, b"7", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
        b"\0\xff\r\n": post(path, b"\0\xff\r\n", "X:", "X-Bytes: \xff\x80", "Expect: nothing"),
        b"9": post(path, b"9", *[f"X-{i}: {i}" for i in range(1000)]),
    }
    with client, Raw(world.logic.http) as raw:
        for body, data in odd.items():
            raw.send(data).until(http_complete(1))
            assert [json.loads(a.body) for a in http_responses(raw.data)] == [{"ret": 1}], body
            raw.data = b""
            assert client.push() == body


def test_byte_by_byte(world):
    client, uid = world.session("tcp")
    with client, Raw(world.logic.http).trickle(post(f"/1/push?uid={uid}", b"hello") * 2) as raw:
        raw.until(http_complete(2))
        assert client.pushes(2) == [b"hello"] * 2


def pipeline(uid, n):
    """Requests that are answered at once and ones that wait for the bus, in turn, each known by its answer."""
    return [post(f"/1/push?uid={uid}", b"%d" % i) if i % 3 == 0 else get(f"/1/msg/get?cb=f{i}") for i in range(n)]


def in_order(answers, n):
    bodies = [a.body for a in answers]
    assert len(bodies) == n
    for i, body in enumerate(bodies):
        assert body == b'{"ret":1}' if i % 3 == 0 else body.startswith(b"f%d(" % i), (i, body)


def test_two_hundred_requests_in_one_write(world):
    client, uid = world.session("tcp")
    with client, Raw(world.logic.http, b"".join(pipeline(uid, 200))) as raw:
        raw.until(http_complete(200), 20)
        in_order(http_responses(raw.data), 200)
        assert client.pushes(67) == [b"%d" % i for i in range(0, 200, 3)]


def test_half_close_behind_requests(world):
    """All is answered, then the server closes too."""
    client, uid = world.session("tcp")
    with client:
        for n in (1, 50):
            with Raw(world.logic.http, b"".join(pipeline(uid, n))) as raw:
                in_order(http_responses(raw.finish().all()), n)
                assert raw.end == "closed"


def test_the_peers_end_at_any_moment_between_its_requests(world):
    """A half-close that comes while an answer is on its way takes no request with it."""
    client, uid = world.session("tcp")
    with client:
        for i in range(20):
            with Raw(world.logic.http, b"".join(pipeline(uid, 7))) as raw:
                time.sleep(i * 0.0005)
                in_order(http_responses(raw.finish().all()), 7)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_peer_goes_in_the_middle_of_a_body(world, end):
    """The push is not taken, not even in part."""
    client, uid = world.session("tcp")
    with client:
        for cut in (1, 20, 60, -5, -1):
            raw = Raw(world.logic.http, post(f"/1/push?uid={uid}", b"x" * 5000)[:cut])
            getattr(raw, end)()
        client.nothing(0.3)
        world.push(uid, "whole")
        assert client.push() == b"whole"


def test_a_client_that_never_reads(world):
    """Answers of megabytes go as far as the socket takes them; then it waits for this client alone, and cuts it off."""
    uid, token = world.token()
    for i in range(20):
        world.push(uid, "x" * 60_000)
    wait_for(lambda: world.cluster.mailbox(uid) == 20, 10, "the mailbox to fill")
    with Raw(world.logic.http, rcvbuf=4096) as deaf:
        deaf.send(get(f"/1/msg/get?uid={uid}&token={token}") * 30)
        begin = time.monotonic()
        while time.monotonic() - begin < IDLE_S + 1:
            other, answer = world.http("GET", "/1/count", type="room")
            assert (other, answer["ret"]) == (200, 1)
            time.sleep(0.1)
        wait_for(lambda: world.logic.metrics()["imc_logic_http_pending"] <= 2, 5, "its requests to go")
        got = deaf.all(20)
        assert 0 < len(got) < 30 * 20 * 80_000, "it was to be cut off"


def test_thousand_connections_that_say_nothing_hold_nobody_up(world):
    """Not even those that come after them."""
    idle = [Raw(world.logic.http) for _ in range(1000)]
    begin = time.monotonic()
    status, answer = world.http("GET", "/1/count", type="room")
    assert (status, answer["ret"]) == (200, 1) and time.monotonic() - begin < 1 * SLOW
    for raw in idle:
        raw.reset()
