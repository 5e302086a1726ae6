"""A user with as many sessions as allowed: one that is silent gives way to a new one, living ones do not."""
from cluster import wait_for
from traffic import QUICK

ENV = QUICK | {"IMC_LOGIC_SESSIONS_MAX_PER_UID": "3", "IMC_COMET_SESSION_SILENT": "1500ms"}


def beat(client, seq):
    client.send(2, seq=seq)
    assert client.recv_op(3).seq == seq


def refused(connect, comet, token):
    client = connect(comet)
    client.send_auth(token)
    client.kicked(6)


def is_admitted(client, token):
    client.send_auth(token)
    try:
        return client.recv(6).op == 8
    except Exception:
        return False


def test_the_silent_one_makes_room(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=ENV)
    before = cluster.sum("comet", "imc_comet_gave_way_total")
    token = cluster.api.token(uid)
    clients = [connect(cluster.comets[i % 2], token) for i in range(3)]
    refused(connect, cluster.comets[0], token)  # all of them have just been heard of
    silent, living = clients[1], [clients[0], clients[2]]
    seqs = iter(range(1, 10_000))

    def admitted():
        for client in living:
            beat(client, next(seqs))
        return is_admitted(connect(cluster.comets[0]), token)

    wait_for(admitted, 15, "the silent one to give way", every=0.2)
    assert "silent" in silent.kicked(5)
    for client in living:
        beat(client, next(seqs))
    assert cluster.sum("comet", "imc_comet_gave_way_total") == before + 1
    refused(connect, cluster.comets[1], token)


def test_many_half_open_sessions_lock_nobody_out(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=ENV)
    token = cluster.api.token(uid)
    for i in range(3):
        connect(cluster.comets[i % 2], token)

    wait_for(lambda: is_admitted(connect(cluster.comets[0]), token), 10, "one of the silent ones to give way", every=0.2)
    wait_for(lambda: sum(cluster.api.counts("server").values()) <= 3, what="the others to be counted")
