"""imgo's Java SDK takes one read for one frame: every write to an imgo session on TCP that it meets holds just one."""
import time

import pytest

from cluster import wait_for
from imgo import SdkTcpClient, TcpClient


@pytest.fixture
def sdk(shared):
    opened = []

    def connect(token):
        opened.append(SdkTcpClient(shared.comets[0].tcp).auth(token))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


def test_the_auth_reply_comes_alone(shared, sdk, uid):
    for i in range(10):
        shared.api.push(uid, str(i))
    wait_for(lambda: shared.mailbox(uid) == 10, what="the mailbox to fill")
    client = sdk(shared.api.token(uid))  # fails unless the auth's reply is a read of its own
    client.buf = b""
    begin = time.monotonic()
    # The waiting ones follow at once: one frame a write, which a quick reader sees one by one, and others in one read.
    assert TcpClient.recv(client).body == b"0"
    assert time.monotonic() - begin > 0.03  # imgo.sdk_gap: 50 ms
    assert [TcpClient.recv(client).body for _ in range(9)] == [str(i).encode() for i in range(1, 10)]


def test_a_push_right_behind_the_auth(shared, sdk, uid):
    token = shared.api.token(uid)
    for i in range(20):
        shared.api.push(uid, str(i))
        wait_for(lambda: shared.mailbox(uid) == 1, what="the message in the mailbox")
        client = sdk(token)
        assert client.push() == str(i).encode()
        wait_for(lambda: shared.mailbox(uid) == 0, what="the confirmation")
        assert client.leave() == []  # comet has read of it, so the next push waits


def test_pushes_while_it_keeps_up(shared, sdk, uid):
    client = sdk(shared.api.token(uid))
    for i in range(500):
        shared.api.push(uid, str(i))
        assert client.push() == str(i).encode()


def test_heartbeats_with_the_token_behind_the_header(shared, sdk, uid):
    token = shared.api.token(uid)
    client = sdk(token)
    for seq in range(20):
        client.send(2, token.encode(), seq)
        got = client.recv()
        assert (got.op, got.seq, got.body) == (3, seq, b"")
