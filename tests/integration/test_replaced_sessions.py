"""Older sessions make room for newer ones: of the same key (sessions.same_key), or when the user has too many
(sessions.when_full). What an older one had not taken reaches the newer one, in order."""
import concurrent.futures

import pytest

import goim
import imgo
from cluster import wait_for
from traffic import QUICK, Traffic

ENV = QUICK | {"IMC_LOGIC_SESSIONS_MAX_PER_UID": "3", "IMC_LOGIC_SESSIONS_WHEN_FULL": "close_oldest"}


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(comets=2, env=ENV)


def device(cluster, number, uid, key, **fields):
    client = goim.TcpClient(cluster.comets[number].tcp)
    client.auth(token=cluster.api.token(uid), key=key, **fields)
    return client


def online(cluster, uid):
    """How many sessions get a push of the user: those that the routers know."""
    return sum(cluster.api.counts("server").values())


def replaced(cluster, why):
    return cluster.sum("comet", f'imc_comet_replaced_total{{why="{why}"}}')


def reads(client, kind):
    """Numbers of pushes until the connection ends, or nothing comes for a while."""
    got = []
    try:
        while True:
            body = client.push(2)
            got.append(int((body[1] if kind == "goim" else body)))
    except (imgo.Closed, TimeoutError):
        return got


@pytest.mark.parametrize("number", (0, 1), ids=("same comet", "other comet"))
def test_a_newer_one_of_the_same_key(cluster, uid, number):
    before = replaced(cluster, "same_key")
    with device(cluster, 0, uid, "phone") as old, device(cluster, 0, uid, "tablet") as other:
        with device(cluster, number, uid, "phone") as new:
            assert "same key" in old.kicked(5)
            cluster.api.push(uid, "hello")
            assert new.push() == other.push() == (5, b"hello")
            new.online(), other.online()
            assert replaced(cluster, "same_key") == before + 1


def test_the_same_key_of_other_users_is_another(cluster, uids):
    one, two = uids(2)
    with device(cluster, 0, one, "shared") as first, device(cluster, 1, two, "shared") as second:
        for uid, client in ((one, first), (two, second)):
            cluster.api.push(uid, "hello")
            assert client.push() == (5, b"hello")
        first.online(), second.online()


def test_of_many_at_once_one_stays(cluster, uid):
    def connect(n):
        try:
            return device(cluster, n % 2, uid, "phone")
        except (imgo.Closed, AssertionError):
            return None  # it was replaced, or told 6, before its reply
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            clients = [client for client in pool.map(connect, range(10)) if client]
        wait_for(lambda: sum(alive(client) for client in clients) == 1, what="all but one to be replaced")
        for client in clients:
            client.close()
        wait_for(lambda: online(cluster, uid) == 0, what="the sessions to be gone")


def alive(client):
    try:
        return client.online() == 0
    except (imgo.Closed, AssertionError, OSError):
        return False


def test_what_the_old_one_did_not_take_reaches_the_new_one(cluster, uid):
    """While pushes go on, a device comes back on the other comet, again and again; its old connection does not read."""
    got = []
    with Traffic([cluster.api], [uid]) as traffic:
        client = device(cluster, 0, uid, "phone")
        for n in range(1, 9):
            traffic_so_far = traffic.pushed
            wait_for(lambda: traffic.pushed > traffic_so_far + 20, what="pushes")
            old, client = client, device(cluster, n % 2, uid, "phone")
            got.append(reads(old, "goim"))
            old.close()
    got.append(reads(client, "goim"))
    client.close()
    for numbers in got:
        assert numbers == sorted(set(numbers)), numbers
    missing = set(traffic.accepted[uid]) - {number for numbers in got for number in numbers}
    assert not missing, sorted(missing)


def test_the_oldest_goes_when_there_are_too_many(cluster, connect, uid):
    token = cluster.api.token(uid)
    before = replaced(cluster, "oldest")
    clients = [connect(cluster.comets[i % 2], token) for i in range(3)]
    for i in range(3):
        newer = connect(cluster.comets[i % 2])
        newer.send_auth(token)
        assert "too many sessions" in clients[i].kicked(5)
        clients[i].close()
        assert newer.recv().op == 8
        clients.append(newer)
    assert replaced(cluster, "oldest") == before + 3
    cluster.api.push(uid, "hello")
    for client in clients[3:]:
        assert client.push() == imgo.body_of(client, "hello")


def test_one_that_does_not_take_note_delays_the_newer_one_only(cluster, connect, uid):
    """It lingers (conn.linger), and does not close its side."""
    token = cluster.api.token(uid)
    clients = [connect(cluster.comets[i % 2], token) for i in range(3)]
    assert connect(cluster.comets[0], token)
    assert "too many sessions" in clients[0].kicked(5)


def test_keep(make_cluster, uid):
    cluster = make_cluster(env={"IMC_LOGIC_SESSIONS_SAME_KEY": "keep"})
    with device(cluster, 0, uid, "phone") as old, device(cluster, 0, uid, "phone") as new:
        cluster.api.push(uid, "hello")
        assert old.push() == new.push() == (5, b"hello")
