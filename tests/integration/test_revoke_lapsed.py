"""A comet that was taken for dead while something was revoked, and comes back with its sessions: those that are revoked end."""
import time

import goim
import imgo
import pytest

from cluster import SLOW, Cluster, wait_for
from jwts import Issuer
from traffic import QUICK


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def cluster(bus, issuer):
    cluster = Cluster(bus, comets=2, env=QUICK | {"IMC_LOGIC_JWT_KEYS": issuer.setting})
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


def clients(comet, token):
    """A session of each kind."""
    client = goim.TcpClient(comet.tcp)
    client.auth(token=token)
    return [imgo.TcpClient(comet.tcp).auth(token), imgo.WsClient(comet.ws).auth(token), client]


def test_sessions_that_were_revoked_meanwhile_end(cluster, issuer, uids):
    away = cluster.comets[0]
    by_token, by_id, by_uid, by_opaque, banned, nobody = uids(6)
    one, other = issuer.token(by_token, n=1), issuer.token(by_token, n=2)
    named, unnamed = issuer.token(by_id, jti="x"), issuer.token(by_id, jti="y")
    opaque = cluster.api.token(by_opaque)
    kept = {uid: sum((clients(away, token) for token in tokens), []) for uid, tokens in {
        by_token: [other], by_id: [unnamed], by_opaque: [issuer.token(by_opaque)],
        nobody: [issuer.token(nobody), cluster.api.token(nobody)]}.items()}
    ended = {1: clients(away, one) + clients(away, named) + clients(away, issuer.token(by_uid)),
             7: clients(away, issuer.token(banned)) + clients(away, cluster.api.token(banned)),
             12: clients(away, opaque) + clients(away, cluster.api.token(by_uid))}
    count = sum(map(len, kept.values())) + sum(map(len, ended.values()))
    wait_for(lambda: cluster.api.counts("server") == {1: count}, what="the sessions to be registered")
    away.pause()
    try:
        wait_for(lambda: 1 not in cluster.api.counts("server"), 10 * SLOW, "its sessions to be forgotten")
        for query in ({"token": one}, {"uid": by_id, "jti": "x"}, {"uid": by_uid}, {"token": opaque},
                      {"uid": banned, "until": 600}):
            wait_for(lambda q=query: cluster.api.call("POST", "/1/admin/revoke", **q)[0] == 200, 15 * SLOW, str(query))
    finally:
        away.resume()
    for code, sessions in ended.items():
        for client in sessions:
            client.kicked(code, timeout=10 * SLOW)
    wait_for(lambda: cluster.api.counts("server") == {1: sum(map(len, kept.values()))}, 10 * SLOW,
             "the others to be registered again")
    for uid, sessions in kept.items():
        cluster.api.push(uid, "1")
        for client in sessions:
            client.push() if hasattr(client, "push") else client.recv()
    client = imgo.TcpClient(away.tcp)
    client.send_auth(opaque)
    client.kicked(1)
    assert imgo.TcpClient(away.tcp).auth(cluster.api.token(by_opaque)), "another token of the user is as good as ever"
