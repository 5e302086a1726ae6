"""SIGTERM: a comet tells its clients to go elsewhere, hands over what it had, and ends with 0; so do the others."""
from cluster import wait_for
from traffic import QUICK, Traffic


def test_a_comet_drains(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(30)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(100)
        cluster.comets[0].ask_to_end()
        got = {uid: [int(body) for body in client.drain()] for uid, client in clients.items()}
        assert all(client.reason and client.reason["code"] == 9 for client in clients.values())
        traffic.go_on(60)
        moved = {uid: connect(cluster.comets[1], tokens[uid]) for uid in users}
        traffic.go_on(60)
    assert cluster.comets[0].term() == 0
    assert not traffic.errors
    for uid, client in moved.items():
        traffic.received(uid, client, got[uid])
    wait_for(lambda: cluster.api.counts("server") == {2: 30}, 3, "the counts to be right")


def test_it_says_9_to_connections_in_any_state(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=QUICK)
    session, silent = connect(cluster.comets[0], cluster.api.token(uid)), connect(cluster.comets[0])
    cluster.comets[0].ask_to_end()
    assert "again" in session.kicked(9)
    silent.kicked(9)
    assert cluster.comets[0].term() == 0


def test_logic_router_and_job_drain_while_pushes_go_on(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(20)
    away = users[:5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[i % 2], tokens[uid]) for i, uid in enumerate(users[5:])}
    with Traffic([cluster.api], users) as traffic:
        for daemon in (cluster.routers[0], cluster.jobs[0], cluster.logics[0]):
            traffic.go_on(40)
            assert daemon.term() == 0
            daemon.start()
            wait_for(daemon.ready, 20, f"{daemon.name} to be back")
        traffic.go_on(60)
    for uid, client in clients.items():
        traffic.received(uid, client)
    for uid in away:
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]))
