"""Bad WebSocket frames and bad JSON in them: a close frame with RFC 6455's code, or op 6 and 4000 + its code."""
import json

import pytest

import imgo
from hostile import CODES, MAX_BODY, Raw, hostile, hostile_cluster, world, ws_frames, ws_kicked, ws_message, ws_request  # noqa: F401 (fixtures)
from imgo import ws_frame

MAX_MESSAGE = 4 * MAX_BODY + 1024


def close(code, reason=b""):
    return ws_frame(8, code.to_bytes(2, "big") + reason)


def text(value):
    return ws_frame(1, value if isinstance(value, bytes) else json.dumps(value).encode())


# RFC 6455: name: (bytes, close code, words)
VIOLATIONS = {
    "unmasked": (ws_frame(1, b'{"op":2}', mask=False), 1002, "masked"),
    "unmasked close": (ws_frame(8, b"", mask=False), 1002, "masked"),
    **{f"reserved bit {bit}": (ws_frame(1, b"{}", rsv=bit), 1002, "reserved") for bit in (1, 2, 4)},
    **{f"reserved opcode {opcode}": (ws_frame(opcode, b"{}"), 1002, "reserved") for opcode in (3, 7, 11, 15)},
    "continuation of nothing": (ws_frame(0, b"{}"), 1002, "continuation"),
    "a message inside another": (ws_frame(1, b"{", fin=False) + ws_frame(1, b"}"), 1002, "inside"),
    "fragmented ping": (ws_frame(9, b"x", fin=False), 1002, "fragmented"),
    "fragmented close": (ws_frame(8, b"\x03\xe8", fin=False), 1002, "fragmented"),
    "ping of 126 bytes": (ws_frame(9, b"x" * 126), 1002, "125"),
    "close of 126 bytes": (close(1000, b"x" * 124), 1002, "125"),
    "ping that claims 4 GiB": (ws_frame(9, b"", length=1 << 32), 1002, "125"),
    "close with half a code": (ws_frame(8, b"\x03"), 1002, "half"),
    **{f"close code {code}": (close(code), 1002, "code") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    "close reason that is not UTF-8": (close(1000, b"\xff"), 1007, "UTF-8"),
    "length of 5 in 16 bits": (b"\x81\xfe\x00\x05" + b"\0\0\0\0hello", 1002, "shortest"),
    "length of 5 in 64 bits": (b"\x81\xff" + bytes(7) + b"\x05" + b"\0\0\0\0hello", 1002, "shortest"),
    "length of 64 bits": (b"\x81\xff" + b"\xff" * 8 + bytes(4), 1002, "63"),
    "not UTF-8": (text(b'{"op":2,"body":"\xff"}'), 1007, "UTF-8"),
    "an overlong sequence": (text(b'{"op":2,"body":"\xc0\xaf"}'), 1007, "UTF-8"),
    "a surrogate": (text(b'{"op":2,"body":"\xed\xa0\x80"}'), 1007, "UTF-8"),
    "UTF-8 that is cut off": (text(b'{"op":2,"body":"\xe2\x82'), 1007, "UTF-8"),
    "not UTF-8 in a fragment": (ws_frame(1, b'{"body":"', fin=False) + ws_frame(0, b"\xff", fin=False), 1007, "UTF-8"),
    "UTF-8 that no fragment goes on with": (ws_frame(1, b'{"op":2,"body":"\xe2', fin=False) + ws_frame(0, b'"}'), 1007, "UTF-8"),
}

TOO_BIG = {
    "a long message": text(b"[" * (MAX_MESSAGE + 1)),
    "100,000 brackets": text(b"[" * 100_000),
    "a claim of 4 MiB": ws_frame(1, b"", length=4 << 20),
    "a claim of 2^62": ws_frame(2, b"", length=1 << 62),
    "fragments": ws_frame(1, b'{"body":"', fin=False) + ws_frame(0, b"x" * 1000, fin=False) * 30,
}

# JSON: name: (value or bytes, words)
BAD_JSON = {
    "nothing": (b"", "JSON"),
    "blanks": (b"   ", "JSON"),
    "half an object": (b'{"ver":1,"op":', "JSON"),
    "two objects": (b'{"op":2}{"op":2}', "JSON"),
    "a comma too many": (b'{"op":2,}', "JSON"),
    "single quotes": (b"{'op':2}", "JSON"),
    "an array": ([{"ver": 1, "op": 2, "seq": 1}], "array"),
    "a string": ("hello", "JSON"),
    "a number": (7, "JSON"),
    "null": (None, "JSON"),
    "no op": ({"ver": 1, "seq": 1}, "op is missing"),
    **{f"op {json.dumps(op)}": ({"op": op}, "op must be") for op in ("2", None, True, [2], {"a": 1}, 2.5, -2**31 - 1, 2**31, 2**63)},
    **{f"seq {json.dumps(seq)}": ({"op": 2, "seq": seq}, "seq must be") for seq in ("1", False, [], 0.1, 2**31, -2**64)},
    **{f"ver {json.dumps(ver)}": ({"op": 2, "ver": ver}, "ver must be") for ver in ("1", -1, 65536, [1])},
    "a number beyond all": (b'{"op":1e999}', "JSON"),
    "a number of 5,000 digits": (b'{"op":2,"seq":' + b"9" * 5000 + b"}", "JSON"),
    "NaN": (b'{"op":NaN}', "JSON"),
    "a plus": (b'{"op":+2}', "JSON"),
    "leading zeros": (b'{"op":002}', "JSON"),
    "NUL in a name": (b'{"o\\u0000p":2}', "JSON"),
    "a bare NUL": (b'{"op":2}\0', "JSON"),
    "half a surrogate": (b'{"op":2,"body":"\\ud800"}', "JSON"),
    "a control character": (b'{"op":2,"body":"\n\x01"}', "JSON"),
    "10,000 brackets": (b"[" * 10_000, "JSON"),
    "5,000 brackets in the body": (b'{"op":2,"body":' + b"[" * 5000 + b"]" * 5000 + b"}", "JSON"),
}

BAD_AUTHS = {
    "no body": ({"op": 7}, 3, "token"),
    "an empty token": ({"op": 7, "body": ""}, 3, "token"),
    **{f"body {json.dumps(body)}": ({"op": 7, "body": body}, 3, "token") for body in (None, 5, True, ["x"])},
    "an object with an unknown token": ({"op": 7, "body": {"token": "x"}}, 1, "token"),
    "an object with a wrong ack": ({"op": 7, "body": {"token": "x", "ack": 1}}, 3, "ack must be true or false"),
    "a number of 65 bits": ({"op": 7, "body": {"mid": 2**64}}, 3, "64 bits"),
    "an unknown token": ({"op": 7, "body": "nobody-has-it"}, 1, "token"),
    "NUL in it": ({"op": 7, "body": "a\0b"}, 1, "token"),
    "as long as a body may be": ({"op": 7, "body": "x" * MAX_BODY}, 1, "token"),
    "one byte longer": ({"op": 7, "body": "x" * (MAX_BODY + 1)}, 4, "longer than"),
    "the same in escapes": (b'{"op":7,"body":"' + b"\\u20ac" * 1366 + b'"}', 4, "longer than"),
    **{f"operation {op}": ({"op": op}, 3, f"operation {op} before auth") for op in (0, 2, 4, 8, 254, -1, 2**31 - 1)},
}


def upgraded(world):
    raw = Raw(world.comet.ws, ws_request())
    raw.until(lambda data: b"\r\n\r\n" in data)
    raw.data = raw.data.partition(b"\r\n\r\n")[2]
    return raw


def in_session(world):
    client, uid = world.session("ws")
    return Raw.of(client), uid


@pytest.fixture(params=["before auth", "in a session"])
def raw(world, request):
    raw = upgraded(world) if request.param == "before auth" else in_session(world)[0]
    with raw:
        yield raw


def ends(raw, data):
    """How the connection ends after DATA; a well-behaved client's close handshake included."""
    raw.send(data)
    raw.until(lambda data: any(opcode == 8 for opcode, _ in whole_frames(data)))
    raw.send(close(1000))
    got = ws_kicked(raw.all())
    assert raw.end == "closed", "the close frame must not be overtaken by a reset"
    return got


def whole_frames(data):
    try:
        return ws_frames(data)
    except (AssertionError, IndexError):
        return []


def kicked(world, raw, data, code, words):
    with world.rises(world.comet, f'imc_comet_kicked_total{{reason="{CODES[code]}"}}'):
        reason, ws_code, _ = ends(raw, data)
    assert reason["code"] == code and words in reason["reason"] and ws_code == 4000 + code, (reason, ws_code)


@pytest.mark.parametrize("case", VIOLATIONS)
def test_violations_of_the_rfc(world, raw, case):
    data, code, words = VIOLATIONS[case]
    with world.rises(world.comet, "imc_comet_ws_failed_total"):
        reason, got, why = ends(raw, data)
    assert (reason, got) == (None, code) and words in why, (reason, got, why)


@pytest.mark.parametrize("case", TOO_BIG)
def test_too_big(world, raw, case):
    """Told in both ways: op 6 for imgo's clients, 1009 for WebSocket libraries."""
    with world.rises(world.comet, 'imc_comet_kicked_total{reason="body_too_large"}'):
        reason, code, _ = ends(raw, TOO_BIG[case])
    assert reason["code"] == 4 and code == 1009, (reason, code)


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(world, raw, case):
    value, words = BAD_JSON[case]
    kicked(world, raw, text(value), 3, words)


@pytest.mark.parametrize("case", BAD_AUTHS)
def test_bad_auth(world, case):
    value, code, words = BAD_AUTHS[case]
    with upgraded(world) as raw:
        kicked(world, raw, text(value), code, words)


@pytest.mark.parametrize("first, code", [
    (imgo.frame(7, b"no such token"), 1), (imgo.frame(7, b'{"mid":1}'), 1), (imgo.frame(7, b"{"), 3), (imgo.frame(2), 3),
    (imgo.frame(7, b"x" * (MAX_BODY + 1)), 4), (imgo.frame(7, b"x", header=20), 3), (imgo.frame(7, b"x") + b"y", 3),
    (imgo.frame(7, b"x")[:-1], 3), (b"", 3), (b"\0\xff\xfe", 3), (b"[]", 3)], ids=range(11))
def test_binary_first(world, first, code):
    """goim's mode: a message is a frame, and a kick is one, too."""
    with upgraded(world) as raw, world.rises(world.comet, f'imc_comet_kicked_total{{reason="{CODES[code]}"}}'):
        raw.send(ws_frame(2, first) + close(1000))
        frames = ws_frames(raw.all())
        assert [opcode for opcode, _ in frames] == [2, 8], frames
        assert frames[1][1][:2] == (4000 + code).to_bytes(2, "big"), frames
        assert f'"code":{code},'.encode() in frames[0][1]


def test_text_then_binary(world):
    """JSON mode for the life of the connection; a frame is no JSON."""
    raw, _ = in_session(world)
    with raw:
        raw.send(ws_frame(2, b'{"op":254,"seq":6}'))
        raw.until(lambda data: b'"seq":6' in data)
        kicked(world, raw, ws_frame(2, imgo.frame(2, seq=8)), 3, "JSON")


@pytest.mark.parametrize("message", [
    b'{"op":2,"seq":7,"ver":1,"seq":8,"op":254,"body":1,"body":2}',  # the last of each counts
    b'{"op":254,"seq":8,"body":"a\\u0000b"}',
    b'{"op":254,"seq":8,"body":{"a":[1e308,-0,12345678901234567890123456789012345678901234567890]}}',
    b'{"op":254.0,"seq":8e0,"ver":10e-1}',
    b'{"op":254,"seq":8,"body":' + b"[" * 1500 + b"]" * 1500 + b"}",
    b'{"op":254,"seq":8,"ver":null,"body":null,"more":[true,false,null],"":""}',
    b" \r\n\t{ \"op\" : 254 , \"seq\" : 8 } \n",
    b'{"op":254,"seq":8,"body":"' + b"\\u0041" * 2600 + b'"}',
    b'{"op":254,"seq":8,"body":"' + "€𝄞".encode() * 500 + b'"}',
], ids=range(9))
def test_odd_but_right(world, message):
    raw, _ = in_session(world)
    with raw:
        raw.send(text(message))
        raw.until(lambda data: b'"op":255' in data)
        assert json.loads(ws_frames(raw.data)[0][1])[0]["seq"] == 8


def test_byte_by_byte_with_pings_between_the_fragments(world):
    raw, uid = in_session(world)
    with raw:
        message = json.dumps({"op": 254, "seq": 3, "body": "€" * 100}, ensure_ascii=False).encode()
        data = b"".join(ws_frame(1 if i == 0 else 0, message[i:i + 7], fin=i + 7 >= len(message)) + ws_frame(9, b"%d" % i)
                        for i in range(0, len(message), 7))
        raw.trickle(data).until(lambda got: b'"op":255' in got)
        world.push(uid, '"still here"')
        raw.until(lambda data: b"still here" in data)
        pongs = [payload for opcode, payload in ws_frames(raw.data) if opcode == 10]
        assert pongs == [b"%d" % i for i in range(0, len(message), 7)]


def test_ten_thousand_empty_fragments(world):
    raw, _ = in_session(world)
    with raw:
        raw.send(ws_frame(1, b'{"op":254,"seq":3}', fin=False) + ws_frame(0, b"", fin=False) * 10_000 + ws_frame(0, b""))
        raw.until(lambda data: b'"op":255' in data)


def test_close_is_echoed_and_nothing_behind_it_counts(world):
    raw, _ = in_session(world)
    with raw:
        raw.send(close(3000, b"bye") + ws_message(254) + b"\xff" * 5000)
        assert ws_frames(raw.all()) == [(8, b"\x0b\xb8")] and raw.end == "closed"
