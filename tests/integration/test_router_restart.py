"""Routers die, restart empty, come and go: the comets register their sessions again, and no message is lost."""
import pytest

from cluster import wait_for
from traffic import QUICK, Traffic


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(routers=2, env=QUICK)


def sessions(cluster):
    return sum(router.metrics().get("imc_router_sessions", 0) for router in cluster.routers if router.alive())


def test_both_routers_restart_while_pushes_go_on(cluster, connect, uids):
    users = uids(30)
    away = users[:5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[5:]}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(60)
        for router in cluster.routers:
            router.kill9()
        traffic.go_on(60)
        for router in cluster.routers:
            router.start()
        traffic.go_on(120)
    assert not traffic.errors  # without a router pushes are accepted all the same
    for uid, client in clients.items():
        traffic.received(uid, client, repeats=True)
    wait_for(lambda: sessions(cluster) == 25, what="the sessions to be registered again")
    assert cluster.api.counts("server") == {1: 25}
    for uid in away:  # job settles until routers are complete: what was fetched between two tries comes again
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]), repeats=True)


def test_one_router_leaves_and_comes_back(cluster, connect, uids):
    users = uids(30)
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(30)
        assert cluster.routers[0].term() == 0
        traffic.go_on(60)
        wait_for(lambda: sessions(cluster) == 30, what="the other one to have all sessions")
        cluster.routers[0].start()
        wait_for(lambda: cluster.routers[0].alive() and cluster.routers[0].metrics().get("imc_router_sessions", 0) > 0,
                 what="the first one to have its share again")
        traffic.go_on(60)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client, repeats=True)
    wait_for(lambda: cluster.api.counts("server") == {1: 30}, what="the counts to be right")


def test_connecting_while_there_is_no_router(cluster, connect, uid):
    token = cluster.api.token(uid)
    for router in cluster.routers:
        router.kill9()
    client = connect(cluster.comets[0])
    client.send_auth(token)
    client.kicked(12)
    cluster.heal()
    cluster.api.push(uid, "1")
    assert int(connect(cluster.comets[0], token).push()) == 1
