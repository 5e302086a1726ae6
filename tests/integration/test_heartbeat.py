"""Heartbeats: answered with the request's version and sequence, whatever their body; a session without them is closed."""
import time

import pytest

import imgo


@pytest.mark.parametrize("ver, seq", [(1, 1), (2, 2147483647), (0, 0), (1, -5)])
def test_the_reply_echoes_version_and_sequence(shared, connect, uid, ver, seq):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(2, seq=seq, ver=ver)
    got = client.recv()
    assert (got.ver, got.op, got.seq) == (ver, 3, seq)
    assert got.body == (b"" if connect.transport == "tcp" else {})


@pytest.mark.parametrize("size", [1, 1000, 4096])
def test_any_body_within_the_limit(shared, connect, uid, size):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(2, b"x" * size, 3)
    assert client.recv().op == 3
    client.send(2, seq=4)
    assert client.recv().seq == 4


def test_imgo_java_sdk_sends_its_token_after_the_header(shared, connect, uid):
    token = shared.api.token(uid)
    client = connect(shared.comets[0], token)
    if connect.transport == "tcp":
        client.sock.sendall(imgo.frame(2, b"", 6, length=16 + len(token)) + token.encode())
    else:
        client.send(2, token, 6)
    assert (got := client.recv()).op == 3 and got.seq == 6
    client.send(2, seq=7)
    assert client.recv().seq == 7


def test_a_hundred_in_one_write_are_all_answered(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    if connect.transport == "tcp":
        data = b"".join(imgo.frame(2, b"", i) for i in range(100))
    else:
        data = b"".join(imgo.ws_frame(1, b'{"ver":1,"op":2,"seq":%d}' % i) for i in range(100))
    client.sock.sendall(data)
    assert [client.recv().seq for _ in range(100)] == list(range(100))


def test_heartbeats_right_behind_the_auth_wait_for_it(shared, connect, uid):
    token = shared.api.token(uid)
    client = connect(shared.comets[0])
    client.send_auth(token)
    for i in range(3):
        client.send(2, seq=i)
    assert [(got.op, got.seq) for got in (client.recv() for _ in range(4))] == [(8, 77), (3, 0), (3, 1), (3, 2)]


def test_missing_heartbeats_close_the_session(strict, connect, uid):
    token = strict.api.token(uid)
    begin = time.monotonic()
    client = connect(strict.comets[0], token)
    assert "heartbeat" in client.kicked(11, 20)
    assert time.monotonic() - begin > 0.7


def test_heartbeats_keep_the_session(strict, connect, uid):
    client = connect(strict.comets[0], strict.api.token(uid))
    begin = time.monotonic()
    seq = 0
    while time.monotonic() - begin < 2.5:
        client.send(2, seq=seq)
        assert client.recv().seq == seq
        client.nothing(0.4)
        seq += 1


def test_pushes_do_not_stand_in_for_heartbeats(strict, connect, uid):
    client = connect(strict.comets[0], strict.api.token(uid))
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < 4:
            strict.api.push(uid, "1", ttl=0)
            client.recv(0.2)
    except (imgo.Closed, TimeoutError):
        pass
    client.drain()
    assert client.reason["code"] == 11
