"""A refused auth gets op 6 with a code and words, then the close; never op 8, never silence."""
import time

import pytest

import imgo


def test_unknown_token(shared, connect):
    client = connect(shared.comets[0])
    client.send_auth("nobody has this")
    assert "token" in client.kicked(1)


@pytest.mark.parametrize("op", [2, 4, 254, 99])
def test_first_frame_must_be_auth(shared, connect, op):
    client = connect(shared.comets[0])
    client.send(op)
    assert f"operation {op} before auth" in client.kicked(3)


def test_silence_ends_after_the_handshake_timeout(strict, connect):
    begin = time.monotonic()
    client = connect(strict.comets[0])
    client.kicked(2)
    assert 0.7 < time.monotonic() - begin < 4  # not the default of 5 s


def test_a_slow_auth_frame_does_not_stretch_the_timeout(strict, connect):
    client = connect(strict.comets[0])
    data = imgo.frame(7, b"x" * 90)
    data = data if connect.transport == "tcp" else imgo.ws_frame(1, data)
    for i in range(len(data) - 1):  # never all of it: 5 s and more
        client.sock.sendall(data[i:i + 1])
        try:
            client.recv(0.05)
        except TimeoutError:
            continue
        except imgo.Closed:
            break
    assert client.reason["code"] == 2, client.reason


def test_a_second_auth_is_another_token(shared, connect, uid):
    """test_renew.py is about those that are good."""
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send_auth("nobody has this")
    assert "token" in client.kicked(1)


@pytest.mark.parametrize("op", [0, 1, 3, 5, 6, 8, 9, 12, 18, 253, 256, -1, 2147483647])
def test_unknown_operations_close(shared, connect, uid, op):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(op)
    assert str(op) in client.kicked(13)


def test_an_empty_token_is_refused(shared, connect):
    client = connect(shared.comets[0])
    client.send_auth("")
    assert "token" in client.kicked(3)


@pytest.mark.parametrize("size", [513, 4096])
def test_an_overlong_token_is_unknown(shared, connect, size):
    client = connect(shared.comets[0])
    client.send_auth("x" * size)
    client.kicked(1)


def test_a_body_over_the_limit_is_refused(shared, connect):
    client = connect(shared.comets[0])
    client.send_auth("x" * 4097)
    assert "4096" in client.kicked(4)


def test_one_session_too_many_is_refused(strict, connect, uid):
    token = strict.api.token(uid)
    for _ in range(3):
        connect(strict.comets[0], token)
    client = connect(strict.comets[0])
    client.send_auth(token)
    client.kicked(6)


def test_tokens_in_quotes(shared, connect, uid):
    """imgo's TCP clients send the token bare or as a JSON string."""
    token = shared.api.token(uid)
    client = connect(shared.comets[0])
    if connect.transport == "tcp":
        client.send(7, f'"{token}"'.encode(), 5)
    else:
        client.send(7, token, 5)
    assert (got := client.recv()).op == 8 and got.seq == 5
    assert got.body == (b"" if connect.transport == "tcp" else {})


def test_an_object_is_read_like_goims(shared, connect):
    """test_goim_clients.py; in JSON mode it is the body."""
    client = connect(shared.comets[0])
    client.send_object({"mid": 1})
    assert "auth.trust_mid" in client.kicked(1)


def test_others_notice_nothing(shared, connect, uid):
    witness = connect(shared.comets[0], shared.api.token(uid))
    for _ in range(10):
        client = connect(shared.comets[0])
        client.send_auth("wrong")
        client.kicked(1)
    witness.send(2, seq=9)
    assert witness.recv().seq == 9
