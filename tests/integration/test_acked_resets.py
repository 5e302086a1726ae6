"""The connection is reset after every possible byte of a delivery: nothing is lost, and what comes again has its id."""
import random
import time

import pytest

import acked
import imgo

BODIES = 2


@pytest.fixture
def cluster(shared):
    return shared


def read_bytes(client, n):
    """Reads exactly N bytes more from the socket."""
    end = time.monotonic() + imgo.PATIENCE
    left = n
    while left > 0:
        client.sock.settimeout(max(0.01, end - time.monotonic()))
        data = client.sock.recv(left)
        assert data, "closed"
        client.buf += data
        left -= len(data)


def length(cluster, kind, uid):
    """How many bytes the delivery of BODIES messages takes, at most."""
    with acked.connect(cluster.comets[0], kind, cluster.api.token(uid)) as client:
        for n in range(BODIES):
            cluster.api.push(uid, f"{n:04}")
        total = 0
        for n in range(BODIES):
            while True:
                before = len(client.buf)
                client._fill(time.monotonic() + imgo.PATIENCE)
                total += len(client.buf) - before
                if client.buf.endswith(b"}]") or kind != "json" and client.buf.endswith(f"{BODIES - 1:04}".encode()):
                    break
            if f'{BODIES - 1:04}'.encode() in client.buf:
                break
        client.ack(BODIES)
        client.send(imgo.HEARTBEAT)
        while b"\x03" not in client.buf and b'"op":3' not in client.buf:
            client._fill(time.monotonic() + imgo.PATIENCE)
    return total


def parsed(client):
    """The messages that are complete in what was read."""
    got = []
    while True:
        try:
            got.append(client.acked_push(0.001))
        except (TimeoutError, imgo.Closed):
            return got


def finish(cluster, client, uid, reader):
    """Acknowledges what comes again, too, so that the next delivery begins at a known byte; ends the session."""
    end = time.monotonic() + 2 * imgo.PATIENCE
    while cluster.mailbox(uid) > 0:
        assert time.monotonic() < end, f"{cluster.mailbox(uid)} messages stay in the mailbox"
        try:
            message = client.acked_push(0.05)
        except TimeoutError:
            continue
        reader.take(message)
        client.ack(message[0])
    client.close()


@pytest.mark.parametrize("kind", acked.KINDS)
def test_reset_after_every_byte(cluster, kind, uid):
    total = length(cluster, kind, uid)
    assert total > BODIES * 20
    rng, reader, number = random.Random(kind), acked.Reader(), 0
    client = acked.connect(cluster.comets[0], kind, cluster.api.token(uid), key="device")
    wanted = []
    for cut in range(total + 1):
        fresh = [f"{(number + i) % 10000:04}" for i in range(BODIES)]
        number += BODIES
        wanted += fresh
        for body in fresh:
            cluster.api.push(uid, body)
        read_bytes(client, cut)
        got = parsed(client)
        for message in got:
            reader.take(message)
        if got and rng.random() < 0.5:
            client.ack(got[rng.randrange(len(got))][0])
            client.send(imgo.HEARTBEAT)
        client.reset()
        client = acked.connect(cluster.comets[0], kind, cluster.api.token(uid), key="device")
        reader.until(client, wanted)
        finish(cluster, client, uid, reader)
        client = acked.connect(cluster.comets[0], kind, cluster.api.token(uid), key="device")
    client.close()
    assert reader.order == wanted
    assert reader.repeats > 0
