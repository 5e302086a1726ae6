"""Over TLS a client that stops reading loses nothing: records that the kernel took in part, the mailbox, a long wait."""
import pytest

import tls
from cluster import wait_for
from test_slow_reader import LANES, PAD, PUSHES, order_of


@pytest.fixture(scope="module")
def cluster(bus):
    with tls.running(bus) as made:
        yield made


@pytest.mark.parametrize("form", ["tcp", "ws"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_everything_arrives_when_it_reads_again(cluster, form, version, uid):
    reader = tls.open_client(form, cluster.comets[0], cluster.context(version), cluster.api.token(uid), rcvbuf=4096)
    cluster.api.push_many(uid, PUSHES, PAD, LANES)
    cluster.settled()
    assert cluster.mailbox(uid) > 500
    assert order_of(reader.pushes(PUSHES, 60)) == {lane: list(range(lane, PUSHES, LANES)) for lane in range(LANES)}
    reader.nothing()
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmations")
    reader.close()


def test_it_leaves_instead(cluster, uid):
    """What it did not take is in its mailbox, all of it."""
    token, context = cluster.api.token(uid), cluster.context()
    reader = tls.open_client("tcp", cluster.comets[0], context, token, rcvbuf=4096)
    cluster.api.push_many(uid, 1000, 8192, 4)
    cluster.settled()
    assert cluster.mailbox(uid) > 500
    reader.reset()
    second = tls.open_client("tcp", cluster.comets[0], context, token)
    got = order_of(second.drain(3))
    assert all(numbers == list(range(numbers[0], 1000, 4)) for numbers in got.values())
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmations")
    second.close()


def test_a_room_message_too_many_closes(cluster, uid):
    reader = tls.open_client("tcp", cluster.comets[0], cluster.context(), cluster.api.token(uid, room=str(uid)),
                             rcvbuf=4096)
    for _ in range(120):
        cluster.api.push_room(str(uid), "x" * 30000)
    wait_for(lambda: cluster.comets[0].metrics()['imc_comet_kicked_total{reason="too_slow"}'] >= 1, what="the kick")
    assert reader.drain(10)
    assert reader.reason and reader.reason["code"] == 8
    reader.close()
