"""Kafka does not answer: pushes are refused within bus.timeout, sessions stay; nothing that was accepted is lost."""
import time

import pytest

from cluster import SLOW, wait_for
from imgo import body_of
from traffic import QUICK, Traffic

ENV = QUICK | {"IMC_LOGIC_BUS_TIMEOUT": "1s"}


@pytest.fixture
def cluster(own_cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus has no stored messages to lose")
    yield own_cluster(env=ENV)
    bus.resume()


def test_pushes_are_refused_in_time(cluster, bus, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
    bus.pause()
    begin = time.monotonic()
    assert "bus" in cluster.api.refused(65535, "POST", "/1/push", "2", status=503, uid=uid)
    assert 0.5 < time.monotonic() - begin < 2.5 * SLOW
    client.send(2, seq=5)
    assert client.recv().seq == 5
    bus.resume()
    wait_for(lambda: cluster.api.call("POST", "/1/push", '"after"', uid=uid) == (200, {"ret": 1}),
             what="pushes to be accepted again")
    got = client.push()
    while got != body_of(client, '"after"'):
        assert got == body_of(client, "2")  # what was refused may have reached Kafka, once
        got = client.push()


def test_nothing_accepted_is_lost(cluster, bus, connect, uids):
    users = uids(20)
    away = users[:5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[5:]}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(60)
        bus.pause()
        wait_for(lambda: len(traffic.errors) >= 2, 15, "pushes to be refused")
        bus.resume()
        wait_for(lambda: cluster.api.call("POST", "/1/push", "0", uid=0, ttl=0) == (200, {"ret": 1}), 20,
                 "pushes to be accepted again")
        traffic.go_on(100)
    assert all(status == 503 and answer["ret"] == 65535 for status, answer in traffic.errors)
    for uid, client in clients.items():
        traffic.received(uid, client)
    for uid in away:
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]))
