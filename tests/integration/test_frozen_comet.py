"""A comet that stands still for longer than its lease (SIGSTOP) and wakes up: its sessions are still there, and get
everything."""
import time

from cluster import wait_for
from traffic import QUICK, Traffic


def test_sessions_stay_and_nothing_is_lost(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(20)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(60)
        cluster.comets[0].pause()
        begin = time.monotonic()
        wait_for(lambda: 1 not in cluster.api.counts("server"), 10, "its sessions to be forgotten")
        traffic.go_on(100)
        wait_for(lambda: time.monotonic() - begin > 3, what="twice the life of a lease")
        cluster.comets[0].resume()
        traffic.go_on(60)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client, repeats=True)
        client.send(2, seq=8)
        while client.recv().op != 3:
            pass
    wait_for(lambda: cluster.api.counts("server") == {1: 20}, what="the sessions to be registered again")
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(60)
    for uid, client in clients.items():
        traffic.received(uid, client, timeout=3)


def test_a_user_who_went_elsewhere_meanwhile(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(10)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(30)
        cluster.comets[0].pause()
        for client in clients.values():
            client.sock.shutdown(1)
        moved = {uid: connect(cluster.comets[1], tokens[uid]) for uid in users}
        traffic.go_on(60)
        wait_for(lambda: 1 not in cluster.api.counts("server"), 10, "its sessions to be forgotten")
        cluster.comets[0].resume()
        traffic.go_on(60)
    for uid in users:
        before = [int(body) for body in clients[uid].drain()]
        got = set(before) | set(traffic.received(uid, moved[uid], before, repeats=True))
        assert got >= set(traffic.accepted[uid])
