"""mailbox.limit, 20 here, is for users who are away: whoever is there gets everything, whatever had to go through the
mailbox."""
from cluster import wait_for
from traffic import QUICK

ENV = {**QUICK, "IMC_LOGIC_MAILBOX_LIMIT": "20"}


def trimmed(cluster):
    return cluster.sum("logic", "imc_logic_trimmed_total")


def all_of(client, n):
    """What is fetched between two tries to settle comes again."""
    seen = []
    while len(set(seen)) < n:
        seen.append(int(client.push()))
    return list(dict.fromkeys(seen))


def test_a_user_whose_comet_dies_and_who_is_back_at_once(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=ENV)
    token, before = cluster.api.token(uid), trimmed(cluster)
    connect(cluster.comets[0], token)
    cluster.comets[0].pause()
    for i in range(60):
        cluster.api.push(uid, str(i))
    client = connect(cluster.comets[1], token)
    cluster.comets[0].kill9()
    assert all_of(client, 60) == list(range(60))
    assert trimmed(cluster) == before


def test_while_nobody_knows_who_is_there(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=ENV)
    client, before = connect(cluster.comets[0], cluster.api.token(uid)), trimmed(cluster)
    cluster.routers[0].kill9()
    for i in range(60):
        cluster.api.push(uid, str(i))
    wait_for(lambda: cluster.mailbox(uid) > 0, what="the first of them in the mailbox")
    cluster.heal()
    assert all_of(client, 60) == list(range(60))
    assert trimmed(cluster) == before


def test_who_is_away_keeps_20(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, env=ENV)
    token, before = cluster.api.token(uid), trimmed(cluster)
    cluster.routers[0].kill9()
    for i in range(60):
        cluster.api.push(uid, str(i))
    cluster.heal()
    wait_for(lambda: trimmed(cluster) == before + 40, 20, "the mailbox to be trimmed")
    client = connect(cluster.comets[0], token)
    assert [int(body) for body in client.pushes(20)] == list(range(40, 60))


def test_what_is_owed_to_a_session_that_is_gone(own_cluster, uid):
    """A session for which messages were kept does not come back: then no more are kept for it than for anybody."""
    cluster = own_cluster(comets=2, env=ENV)
    cluster.api.push(uid, "0")
    wait_for(lambda: cluster.mailbox(uid) == 1, what="the first message")
    cluster.redis_cli("eval", "local m = redis.call('ZRANGE', KEYS[1], 0, 0)[1] "
                      "return redis.call('HSET', KEYS[1] .. ':owed', string.sub(m, 1, 8), '1/77')", 1, f"imc:mb:{uid}")
    for i in range(1, 60):
        cluster.api.push(uid, str(i))
    wait_for(lambda: cluster.mailbox(uid) == 60, what="all of them, since one of them is owed")
    wait_for(lambda: cluster.mailbox(uid) == 20, 20, lambda: f"20 to be left: {cluster.mailbox(uid)}")
