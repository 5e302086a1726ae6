"""A session that sends too many frames or bytes a second is closed with code 10; others notice nothing."""
import time

import pytest

import goim
import imgo
from cluster import wait_for

FRAMES, BURST = 20, 100
BYTES_BURST = 40_000


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(env={
        "IMC_COMET_SESSION_FRAMES_PER_SECOND": str(FRAMES), "IMC_COMET_SESSION_FRAMES_BURST": str(BURST),
        "IMC_COMET_SESSION_BYTES_PER_SECOND": "1000", "IMC_COMET_SESSION_BYTES_BURST": str(BYTES_BURST),
    })


def limited(cluster, what):
    return cluster.comets[0].metrics()[f'imc_comet_rate_limited_total{{limit="{what}"}}']


@pytest.mark.parametrize("op", (2, 254))
def test_a_flood_of_small_frames(cluster, connect, uid, op):
    before = limited(cluster, "frames")
    client = connect(cluster.comets[0], cluster.api.token(uid))
    quiet = connect(cluster.comets[0], cluster.api.token(uid + 500))
    for n in range(BURST):
        client.send(op, seq=n)
    assert [client.recv().op for _ in range(BURST)] == [op + 1] * BURST
    for n in range(BURST):
        client.send(op, seq=n)
    assert client.wait_closed() == {"code": 10, "reason": "too fast: more than 20 frames a second"}
    wait_for(lambda: limited(cluster, "frames") == before + 1, what="the counter")
    cluster.api.push(uid + 500, "still here")
    assert quiet.push() == imgo.body_of(quiet, "still here")


def test_a_flood_of_changes_of_room(cluster, uid):
    client = goim.TcpClient(cluster.comets[0].tcp)
    client.auth(token=cluster.api.token(uid))
    client.sock.sendall(b"".join(imgo.frame(12, b"live://%d" % (n % 7), n) for n in range(2 * BURST)))
    assert client.wait_closed()["code"] == 10
    wait_for(lambda: cluster.comets[0].metrics()["imc_comet_rooms"] == 0, what="the rooms to be empty")


def test_a_flood_of_bytes(cluster, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    body = b"x" * 3500
    for n in range(10):
        client.send(254, body, n)
    assert [client.recv().seq for _ in range(10)] == list(range(10))
    for n in range(10):
        client.send(254, body, n)
    assert client.wait_closed() == {"code": 10, "reason": "too fast: more than 1000 bytes a second"}


def test_who_stays_below_is_left_alone(cluster, connect, uid):
    """Twice the burst, within the rate."""
    client = connect(cluster.comets[0], cluster.api.token(uid))
    for n in range(BURST):
        client.send(2, seq=n)
    for n in range(BURST):
        assert client.recv().seq == n
    for n in range(FRAMES):
        time.sleep(1.1 / FRAMES)  # the pace is what is tested
        client.send(2, seq=n)
        assert client.recv().seq == n
