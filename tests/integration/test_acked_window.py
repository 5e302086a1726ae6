"""session.ack_window: a client that does not acknowledge is sent so many messages, and the mailbox holds the rest."""
import time

import pytest

import acked
from cluster import wait_for

WINDOW = 4


@pytest.fixture(scope="module")
def cluster(bus):
    import cluster as module
    made = module.Cluster(bus, env={"IMC_COMET_SESSION_ACK_WINDOW": str(WINDOW), "IMC_COMET_SESSION_ACK_WAIT": "200ms"})
    yield made.wait_ready()
    made.stop()


@pytest.fixture(params=acked.KINDS)
def client(cluster, uid, request):
    with acked.connect(cluster.comets[0], request.param, cluster.api.token(uid)) as client:
        yield client


def bodies(client, n):
    return [body for _, _, body in acked.messages(client, n)]


def test_no_more_than_the_window(cluster, client, uid):
    full = cluster.sum("comet", "imc_comet_ack_window_full_total")
    for number in range(20):
        cluster.api.push(uid, str(number))
    assert bodies(client, WINDOW) == ["0", "1", "2", "3"]
    client.nothing(0.5)
    assert cluster.sum("comet", "imc_comet_ack_window_full_total") > full
    wait_for(lambda: cluster.mailbox(uid) == 20, 5, "the mailbox to hold all that is not acknowledged")
    client.ack(WINDOW)
    assert bodies(client, WINDOW) == ["4", "5", "6", "7"]
    client.nothing(0.5)
    for seq in range(5, 21):  # one by one
        client.ack(seq)
        if seq + WINDOW <= 20:
            assert client.acked_push()[::2] == (seq + WINDOW, str(seq + WINDOW - 1))
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
    cluster.api.push(uid, "20")
    assert client.acked_push()[::2] == (21, "20")


def test_one_less_than_the_window_is_not_held_up(cluster, client, uid):
    full = cluster.sum("comet", "imc_comet_ack_window_full_total")
    for number in range(30):
        cluster.api.push(uid, str(number))
        assert client.acked_push()[::2] == (number + 1, str(number))
        if number % (WINDOW - 1) == WINDOW - 2:
            client.ack(number + 1)
    assert cluster.sum("comet", "imc_comet_ack_window_full_total") == full


def test_a_client_may_acknowledge_in_large_steps(cluster, client, uid):
    for number in range(40):
        cluster.api.push(uid, str(number))
    got = []
    for _ in range(10):
        got += acked.messages(client, WINDOW)
        client.ack(got[-1][0])
    assert [(seq, body) for seq, _, body in got] == [(n + 1, str(n)) for n in range(40)]
    client.nothing(0.5)


def test_a_backlog_while_more_comes(cluster, client, uid):
    """More than the window all the time, and acknowledged one by one: everything comes once, in order."""
    n, got = 300, []
    for number in range(n):
        cluster.api.push(uid, str(number))
        while len(got) < number - 20:
            got.append(client.acked_push())
            client.ack(got[-1][0])
    end = time.monotonic() + 30
    while len(got) < n and time.monotonic() < end:
        got.append(client.acked_push())
        client.ack(got[-1][0])
    assert [(seq, body) for seq, _, body in got] == [(i + 1, str(i)) for i in range(n)]
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
