"""Two of each daemon: users anywhere, pushes through either logic, one cluster."""
import pytest

from cluster import wait_for
from imgo import body_of
from traffic import Traffic


@pytest.fixture
def cluster(own_cluster):
    cluster = own_cluster(comets=2, logics=2, routers=2, jobs=2)
    wait_for(lambda: not any(cluster.api.counts("server").values()), what="earlier sessions to end")
    return cluster


def test_pushes_through_either_logic_to_users_on_either_comet(cluster, connect, uids):
    users = uids(20)
    clients = {uid: connect(cluster.comets[i % 2], cluster.logics[i // 2 % 2].api.token(uid))
               for i, uid in enumerate(users)}
    with Traffic([logic.api for logic in cluster.logics], users, every=0) as traffic:
        traffic.go_on(600)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client)
        client.nothing(0.02)


def test_a_user_on_both_comets(cluster, connect, uid):
    token = cluster.api.token(uid)
    devices = [connect(comet, token) for comet in cluster.comets]
    for i in range(50):
        cluster.logics[i % 2].api.push(uid, str(i))
    for device in devices:
        assert device.pushes(50) == [body_of(device, str(i)) for i in range(50)]
    devices[0].close()
    cluster.api.push(uid, "50")
    assert devices[1].push() == body_of(devices[1], "50")
    cluster.settled()
    assert cluster.mailbox(uid) == 0


def test_a_user_who_moves_between_comets(cluster, connect, uid):
    token = cluster.api.token(uid)
    for i in range(20):
        client = connect(cluster.comets[i % 2], token)
        cluster.logics[i // 2 % 2].api.push(uid, str(i))
        assert client.push() == body_of(client, str(i))
        # It may have come by the mailbox: a device that is gone before it has left there gets it again.
        wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmation")
        client.close()


def test_a_room_over_both_comets(cluster, connect, uids):
    users = uids(6)
    room = f"two-{users[0]}"
    clients = [connect(cluster.comets[i % 2], cluster.api.token(uid, room=room)) for i, uid in enumerate(users)]
    for i in range(20):
        cluster.logics[i % 2].api.push_room(room, str(i))
    for client in clients:
        assert client.pushes(20) == [body_of(client, str(i)) for i in range(20)]
    for logic in cluster.logics:
        wait_for(lambda: logic.api.counts("room").get(room) == 6, 2, what="all six to be counted")
        assert logic.api.counts("server") == {1: 3, 2: 3}


def test_a_push_to_all_reaches_both_comets_once(cluster, connect, uids):
    clients = [connect(cluster.comets[i % 2], cluster.api.token(uid)) for i, uid in enumerate(uids(6))]
    cluster.logics[1].api.push_all('"hello"')
    for client in clients:
        assert client.push() == body_of(client, '"hello"')
    for client in clients:
        client.nothing(0.02)


def test_the_mailbox_and_tokens_are_everybodys(cluster, connect, uid):
    token = cluster.logics[0].api.token(uid)
    cluster.logics[1].api.push(uid, "1")
    wait_for(lambda: cluster.logics[0].api.waiting(uid, token) == [b"1"], what="the message in the mailbox")
    client = connect(cluster.comets[1], token)
    assert client.push() == body_of(client, "1")
    cluster.logics[1].api.ok("POST", "/1/admin/token/del", uid=uid)
    other = connect(cluster.comets[0])
    other.send_auth(token)
    other.kicked(1)


def test_both_share_the_work(cluster, connect, uids):
    """Partitions are spread over the jobs, users over the routers."""
    wait_for(lambda: all(job.metrics()["imc_job_partitions"] == 2 for job in cluster.jobs), 15, "the partitions")
    for uid in uids(30):
        connect(cluster.comets[0], cluster.api.token(uid))
    assert all(router.metrics()["imc_router_sessions"] > 0 for router in cluster.routers)
    assert sum(router.metrics()["imc_router_sessions"] for router in cluster.routers) == 30
