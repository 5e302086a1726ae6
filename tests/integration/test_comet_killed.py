"""kill -9 of a comet while it is pushed at: its users find elsewhere whatever they had not got."""
from cluster import wait_for
from traffic import QUICK, Traffic


def test_nothing_accepted_is_lost(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(50)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(200)
        cluster.comets[0].kill9()
        got = {uid: [int(body) for body in client.drain()] for uid, client in clients.items()}
        traffic.go_on(100)
        moved = {uid: connect(cluster.comets[1], tokens[uid]) for uid in users}
        traffic.go_on(200)
    assert not traffic.errors
    for uid, client in moved.items():
        traffic.received(uid, client, got[uid], repeats=True)
    wait_for(lambda: cluster.api.counts("server") == {2: 50}, what="the dead one's sessions to be forgotten")
    # Nothing of the fault is left: the next ones come once, and at once.
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(100)
    for uid, client in moved.items():
        assert traffic.received(uid, client, timeout=3) == traffic.accepted[uid]


def test_those_who_stay_away_find_it_waiting(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK)
    users = uids(20)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(100)
        cluster.comets[0].kill9()
        traffic.go_on(100)
    got = {uid: [int(body) for body in client.drain()] for uid, client in clients.items()}
    for uid in users:
        wait_for(lambda: len(set(traffic.accepted[uid]) - set(got[uid])) <= cluster.mailbox(uid), 10,
                 f"{uid}'s mailbox to hold what it did not get")
    cluster.heal()
    for uid in users:
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]), got[uid], repeats=True)
