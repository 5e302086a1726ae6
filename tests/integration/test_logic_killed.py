"""kill -9 of a logic: the other one answers; what the dead one had accepted is delivered."""
from traffic import QUICK, Traffic


def test_nothing_accepted_is_lost(own_cluster, connect, uids):
    cluster = own_cluster(logics=2, env=QUICK)
    users = uids(30)
    away = users[:5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[5:]}
    with Traffic([logic.api for logic in cluster.logics], users) as traffic:
        traffic.go_on(100)
        cluster.logics[0].kill9()
        traffic.go_on(100)
        # Going and coming needs only one.
        before = {uid: [int(body) for body in clients[uid].leave()] for uid in users[25:]}
        late = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[25:]}
        traffic.go_on(60)
        cluster.logics[0].start()
        traffic.go_on(100)
    assert traffic.errors and len(traffic.errors) < 200
    for uid in users[5:25]:
        traffic.received(uid, clients[uid], repeats=True)
    for uid in users[25:]:
        traffic.received(uid, late[uid], before[uid], repeats=True)
    for uid in away:
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]), repeats=True)
