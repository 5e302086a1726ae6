"""Bad handshakes on comet's WebSocket port: an HTTP error with words, then the close; what is merely odd works."""
import json

import pytest

from hostile import GOOD_ORIGIN, TLS_HELLO, Raw, hostile, hostile_cluster, http_responses, world, ws_frames, ws_message, ws_request  # noqa: F401
from imgo import frame

REFUSED = {
    "another path": (ws_request("/"), 404, "/sub"),
    "a path below": (ws_request("/sub/"), 404, "/sub"),
    "the path in capitals": (ws_request("/SUB"), 404, "/sub"),
    "the path in escapes": (ws_request("/%73ub"), 404, "/sub"),
    "an absolute target with another path": (ws_request("http://h/other"), 404, "/sub"),
    "POST": (ws_request(method="POST"), 405, "GET"),
    "HEAD": (ws_request(method="HEAD"), 405, "GET"),
    "get": (ws_request(method="get"), 400, "HTTP"),
    "HTTP/1.0": (ws_request(version="HTTP/1.0"), 505, "HTTP/1.1"),
    "HTTP/2.0": (ws_request(version="HTTP/2.0"), 505, "HTTP/1.1"),
    "no version of HTTP": (b"GET /sub\r\n\r\n", 400, "request line"),
    "a plain GET": (b"GET /sub HTTP/1.1\r\nHost: h\r\n\r\n", 426, "Upgrade"),
    "upgrade to h2c": (ws_request(upgrade="h2c"), 426, "Upgrade"),
    "no Connection": (ws_request(drop=["Connection"]), 400, "Connection"),
    "Connection: close": (ws_request(connection="close"), 400, "Connection"),
    "no Host": (ws_request(drop=["Host"]), 400, "Host"),
    "an empty Host": (ws_request(host=""), 400, "Host"),
    "two Hosts": (ws_request().replace(b"Host: h\r\n", b"Host: h\r\nHost: i\r\n"), 400, "twice"),
    "version 8": (ws_request(sec_websocket_version="8"), 426, "13"),
    "version 013": (ws_request(sec_websocket_version="013"), 426, "13"),
    "no version": (ws_request(drop=["Sec-WebSocket-Version"]), 426, "13"),
    "no key": (ws_request(drop=["Sec-WebSocket-Key"]), 400, "Key"),
    "an empty key": (ws_request(sec_websocket_key=""), 400, "Key"),
    "a short key": (ws_request(sec_websocket_key="AAAA"), 400, "Key"),
    "a long key": (ws_request(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==" * 2), 400, "Key"),
    "a key without padding": (ws_request(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQAA"), 400, "Key"),
    "a key of other characters": (ws_request(sec_websocket_key="dGhlIHNhbXBsZSBub25j!?=="), 400, "Key"),
    "two keys": (ws_request() [:-2] + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, "twice"),
    "a body": (ws_request(content_length="5") + b"hello", 400, "body"),
    "a chunked body": (ws_request(transfer_encoding="chunked") + b"0\r\n\r\n", 400, "body"),
    "a bad Origin": (ws_request(origin="https://evil.example"), 403, "Origin"),
    "a good Origin as a part": (ws_request(origin=GOOD_ORIGIN + ".evil.example"), 403, "Origin"),
    "Origin null": (ws_request(origin="null"), 403, "Origin"),
    "LF alone": (ws_request().replace(b"\r\n", b"\n"), 400, "CRLF"),
    "one LF alone": (ws_request().replace(b"Host: h\r\n", b"Host: h\n"), 400, "CRLF"),
    "a folded line": (ws_request(x_y="a\r\n b"), 400, "folded"),
    "a line without colon": (ws_request(x_y="a\r\nnonsense"), 400, "colon"),
    "a blank before the colon": (ws_request().replace(b"Upgrade:", b"Upgrade :"), 400, "name"),
    "NUL in a header": (ws_request(x_y="a\0b"), 400, "control"),
    "a control character in the path": (ws_request("/sub\x01"), 400, "request line"),
    "headers of 33 KiB": (ws_request(x_y="x" * 33_000), 431, "too long"),
    "a request line of 33 KiB": (ws_request("/sub?" + "x" * 33_000), 431, "too long"),
    "1 MiB without an end": (b"GET /sub HTTP/1.1\r\n" + b"X: y\r\n" * 170_000, 431, "too long"),
    "garbage": (bytes(range(1, 256)) * 20, 400, "HTTP"),
    "zeros": (bytes(5000), 400, "HTTP"),
    "a TLS hello": (TLS_HELLO, 400, "HTTP"),
    "imgo's frame": (frame(7, b"token"), 400, "HTTP"),
    "an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"),
}

ODD = {
    "a query": ws_request("/sub?token=1&%zz"),
    "names and values in other cases": ws_request(drop=["Upgrade", "Connection"]) [:-2] +
    b"UPGRADE: WebSocket\r\nconnection:keep-alive ,\tUPGRADE\t\r\n\r\n",
    "a list of upgrades": ws_request(upgrade="h2c, websocket"),
    "a good Origin": ws_request(origin=GOOD_ORIGIN),
    "an absolute target": ws_request("http://h/sub"),
    "extensions that are not taken up": ws_request(
        sec_websocket_extensions="permessage-deflate; client_max_window_bits"),
    "subprotocols": ws_request(sec_websocket_protocol="chat, mqtt"),
    "Content-Length: 0": ws_request(content_length="0"),
    "high bytes in a header": ws_request(x_y="\xff\xfe\x80"),
    "32,000 bytes of header": ws_request(x_y="x" * 32_000),
}


def upgraded(raw):
    """The 101 has come; leaves what follows in raw.data."""
    raw.until(lambda data: b"\r\n\r\n" in data)
    head, _, raw.data = raw.data.partition(b"\r\n\r\n")
    answer = http_responses(head + b"\r\n\r\n")[0]
    assert answer.status == 101, answer
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-extensions" not in answer.headers
    assert answer.headers.get("sec-websocket-protocol", "chat") == "chat"
    return raw


def authenticated(raw, token):
    raw.send(ws_message(7, token, 5))
    raw.until(lambda data: b'"op":8' in data)
    assert json.loads(ws_frames(raw.data)[0][1]) == [{"ver": 1, "op": 8, "seq": 5, "body": {}}]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(world, case):
    data, status, words = REFUSED[case]
    with Raw(world.comet.ws) as raw, world.rises(world.comet, "imc_comet_handshake_refused_total"):
        answers = http_responses(raw.send(data).all())
        assert len(answers) == 1, answers
        assert answers[0].status == status and words in answers[0].body.decode(), answers
        assert answers[0].headers["connection"] == "close"
        assert raw.end == "closed", "the answer must not be overtaken by a reset"
    if status == 426:
        assert answers[0].headers["sec-websocket-version"] == "13" and answers[0].headers["upgrade"] == "websocket"
    if status == 405:
        assert answers[0].headers["allow"] == "GET"


@pytest.mark.parametrize("case", ODD)
def test_odd_but_right(world, case):
    _, token = world.token()
    with Raw(world.comet.ws, ODD[case]) as raw:
        authenticated(upgraded(raw), token)


def test_byte_by_byte(world):
    uid, token = world.token()
    with Raw(world.comet.ws).trickle(ws_request() + ws_message(7, token)) as raw:
        upgraded(raw).until(lambda data: b'"op":8' in data)
        world.push(uid, '"still here"')
        raw.until(lambda data: b"still here" in data)


def test_first_messages_behind_the_handshake_in_one_write(world):
    """The server's 101 and its answers come in order."""
    _, token = world.token()
    data = ws_request() + ws_message(7, token, 1) + b"".join(ws_message(4, "x", i) for i in range(2, 1000))
    with Raw(world.comet.ws, data) as raw:
        upgraded(raw).until(lambda data: b'"seq":999,' in data)
        got = [json.loads(payload)[0] for _, payload in ws_frames(raw.data)]
        assert [(one["op"], one["seq"]) for one in got] == [(8, 1)] + [(5, i) for i in range(2, 1000)]


def test_a_second_handshake_in_the_session(world):
    _, token = world.token()
    with Raw(world.comet.ws, ws_request()) as raw:
        authenticated(upgraded(raw), token)
        raw.data = b""
        assert ws_frames(raw.send(ws_request()).all())[-1][0] == 8
