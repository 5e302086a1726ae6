"""Bad input on comet's TCP port: refused by op 6 with code and reason, then closed; what is merely odd works."""
import random

import pytest

import imgo
from hostile import CODES, MAX_BODY, TLS_HELLO, Raw, hostile, hostile_cluster, kicked, tcp_frames, world  # noqa: F401 (fixtures)
from imgo import AUTH, HEARTBEAT, SEND, frame

GARBAGE = random.Random(1).randbytes(4000)

# What breaks the framing does so in any state.
MALFORMED = {
    "header of 0": (frame(HEARTBEAT, header=0), 3, "header length must be 16"),
    "header of 15": (frame(HEARTBEAT, header=15), 3, "header length must be 16"),
    "header of 17": (frame(HEARTBEAT, b"x", header=17), 3, "header length must be 16"),
    "header of 65535": (frame(HEARTBEAT, header=65535), 3, "header length must be 16"),
    "packet of 0": (frame(HEARTBEAT, length=0), 3, "packet length at least 16"),
    "packet of 15": (frame(HEARTBEAT, length=15), 3, "packet length at least 16"),
    "packet of 4 MiB": (frame(HEARTBEAT, length=4 << 20), 4, f"longer than {MAX_BODY} bytes"),
    "packet of 2 GiB": (frame(HEARTBEAT, length=1 << 31), 4, f"longer than {MAX_BODY} bytes"),
    "packet of 4 GiB - 1": (frame(HEARTBEAT, length=0xffffffff), 4, f"longer than {MAX_BODY} bytes"),
    "one byte too many": (frame(HEARTBEAT, b"x" * (MAX_BODY + 1)), 4, f"longer than {MAX_BODY} bytes"),
    "garbage": (GARBAGE, 3, "malformed"),
    "zeros": (bytes(1000), 3, "malformed"),
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 3, "malformed"),
    "a TLS hello": (TLS_HELLO, 3, "malformed"),
}

BAD_AUTHS = {
    **{f"operation {op}": (frame(op), 3, f"operation {op} before auth")
       for op in (0, 1, HEARTBEAT, 3, SEND, 5, 6, 8, 9, 12, 254, 9999, -1, -2**31, 2**31 - 1)},
    "no token": (frame(AUTH), 3, "token"),
    "quotes around nothing": (frame(AUTH, b'""'), 3, "token"),
    "one quote": (frame(AUTH, b'"'), 3, "token"),
    "half an object": (frame(AUTH, b"{"), 3, "JSON"),
    "goim's object": (frame(AUTH, b'{"mid":1}'), 1, "token"),
    "an unknown token": (frame(AUTH, b"nobody-has-it"), 1, "token"),
    "as long as a body may be": (frame(AUTH, b"x" * MAX_BODY), 1, "token"),
    "one byte longer": (frame(AUTH, b"x" * (MAX_BODY + 1)), 4, f"longer than {MAX_BODY} bytes"),
    "NUL in it": (frame(AUTH, b"a\0b"), 1, "token"),
    "not UTF-8": (frame(AUTH, b"\xff\xfe\x80"), 1, "token"),
    "Redis' protocol in it": (frame(AUTH, b"x\r\n*1\r\n$8\r\nFLUSHALL\r\n"), 1, "token"),
    "blanks": (frame(AUTH, b"   "), 1, "token"),
}


def refused(world, raw, data, code, words):
    """DATA, sent on RAW, is answered with op 6."""
    with world.rises(world.comet, f'imc_comet_kicked_total{{reason="{CODES[code]}"}}'):
        reason = kicked(raw.send(data).all())
    assert reason["code"] == code and words in reason["reason"], reason
    assert raw.end == "closed", "op 6 must not be overtaken by a reset"


@pytest.mark.parametrize("case", [*MALFORMED, *BAD_AUTHS])
def test_refused_before_auth(world, case):
    data, code, words = {**MALFORMED, **BAD_AUTHS}[case]
    with Raw(world.comet.tcp) as raw:
        refused(world, raw, data, code, words)


@pytest.mark.parametrize("case", MALFORMED)
def test_refused_in_a_session(world, case):
    data, code, words = MALFORMED[case]
    client, _ = world.session("tcp")
    with Raw.of(client) as raw:
        refused(world, raw, data, code, words)


@pytest.mark.parametrize("op", [0, 1, 3, 5, 6, 8, 9, 12, 17, 253, 256, 9999, -1, -2**31, 2**31 - 1])
def test_unknown_operation_in_a_session(world, op):
    client, _ = world.session("tcp")
    with Raw.of(client) as raw:
        refused(world, raw, frame(op, b"body"), 13, f"unknown operation {op}")


def test_a_second_auth(world):
    client, _ = world.session("tcp")
    with Raw.of(client) as raw:
        refused(world, raw, frame(AUTH, b"{}"), 3, "goim")


def test_what_stands_behind_a_malformed_frame_is_ignored(world):
    """Op 6 arrives, though the peer goes on sending much more than any buffer holds."""
    client, _ = world.session("tcp")
    with Raw.of(client) as raw:
        refused(world, raw, frame(SEND, seq=5) + frame(SEND, header=3) + frame(SEND, seq=6) + GARBAGE * 500, 3, "malformed")
        assert [f.seq for f in tcp_frames(raw.data) if f.op == 5] == [5]


def test_the_longest_body_is_accepted(world):
    client, _ = world.session("tcp")
    with client:
        for op in (HEARTBEAT, SEND, 254):
            client.send(op, b"x" * MAX_BODY, seq=op)
            assert client.recv().seq == op


@pytest.mark.parametrize("ver, seq", [(0, 0), (65535, -1), (2, -2**31), (1, 2**31 - 1)])
def test_any_version_and_sequence_is_repeated(world, ver, seq):
    client, _ = world.session("tcp")
    with client:
        client.send(SEND, b"\0\xff", seq, ver=ver)
        got = client.recv()
        assert (got.ver, got.op, got.seq, got.body) == (ver, 5, seq, b"")


def test_byte_by_byte(world):
    """The auth as well."""
    uid, token = world.token()
    with Raw(world.comet.tcp).trickle(frame(AUTH, token.encode(), 9) + frame(HEARTBEAT, b"abc", 10)) as raw:
        raw.until(lambda data: len(data) >= 32)
        assert [(f.op, f.seq) for f in tcp_frames(raw.data)] == [(8, 9), (3, 10)]
        world.push(uid, "still here")
        raw.until(lambda data: b"still here" in data)


def test_a_thousand_frames_in_one_write(world):
    client, uid = world.session("tcp")
    with client:
        client.sock.sendall(b"".join(frame(SEND, b"x" * (i % 50), i) for i in range(1000)))
        assert [client.recv().seq for _ in range(1000)] == list(range(1000))
        world.push(uid, "still here")
        assert client.push() == b"still here"


def test_frames_behind_the_auth_in_one_write(world):
    """More than is read at once: it waits until logic has answered."""
    _, token = world.token()
    many = 3000
    data = frame(AUTH, token.encode()) + b"".join(frame(SEND, b"x" * 30, i) for i in range(many))
    with imgo.TcpClient(world.comet.tcp) as client:
        client.sock.sendall(data)
        assert client.recv().op == 8
        assert [client.recv().seq for _ in range(many)] == list(range(many))


def test_frames_behind_a_refused_auth(world):
    with Raw(world.comet.tcp) as raw:
        refused(world, raw, frame(AUTH, b"nobody") + frame(SEND) * 10_000, 1, "token")
        assert len(tcp_frames(raw.data)) == 1
