"""Redis does not answer for longer than leases live: sessions stay, pushes to them go on, what must be stored waits."""
import time

from cluster import wait_for
from imgo import body_of
from traffic import QUICK, Traffic


def test_sessions_and_pushes_go_on(own_cluster, connect, uids):
    cluster = own_cluster(env=QUICK)
    users = uids(20)
    away, late = users[:5], users[5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[6:]}
    cluster.redis.pause()
    begin = time.monotonic()
    with Traffic([cluster.api], users) as traffic:
        # Now, not when Redis is back: the first 20 reach those who are there.
        traffic.go_on(20)
        witness = clients[users[-1]]
        seen = [int(witness.push(2))]
        refused = connect(cluster.comets[0])
        refused.send_auth(tokens[late])
        refused.kicked(12)
        traffic.go_on(100)
        wait_for(lambda: time.monotonic() - begin > 3, what="twice the life of a lease")
        cluster.redis.resume()
        traffic.go_on(60)
    assert not traffic.errors
    for uid in users[6:-1]:
        traffic.received(uid, clients[uid])
    traffic.received(users[-1], witness, seen)
    for uid in [*away, late]:  # a Store whose answer came too late is done again
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]), repeats=True)
    wait_for(lambda: all(daemon.ready() for daemon in cluster.daemons()), what="everybody to be ready")


def test_redis_restarts(own_cluster, connect, uids):
    """With its append-only file: tokens and mailboxes are there again."""
    cluster = own_cluster(env=QUICK)
    here, away = uids(2)
    tokens = {uid: cluster.api.token(uid) for uid in (here, away)}
    client = connect(cluster.comets[0], tokens[here])
    cluster.api.push(away, "1")
    wait_for(lambda: cluster.mailbox(away) == 1, what="the message in the mailbox")
    cluster.redis.term()
    cluster.api.pushs([here, away], 2)
    assert client.push() == body_of(client, "2")
    cluster.redis.start()
    wait_for(lambda: all(daemon.ready() for daemon in cluster.daemons()), what="everybody to be ready")
    wait_for(lambda: cluster.mailbox(away) == 2, what="the second message in the mailbox")
    client = connect(cluster.comets[0], tokens[away])
    assert client.pushes(2) == [body_of(client, t) for t in "12"]
