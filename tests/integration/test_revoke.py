"""What the business revokes lets nobody in, and its sessions end, on all comets and whichever logic is called."""
import base64
import threading
import time

import pytest

import goim
import imgo
from cluster import Cluster, wait_for
from jwts import Issuer, b64
from traffic import QUICK


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def cluster(bus, issuer):
    cluster = Cluster(bus, comets=2, logics=2, routers=2, redises=2, env=QUICK | {
        "IMC_LOGIC_JWT_KEYS": issuer.setting, "IMC_LOGIC_REVOKE_PER_UID": "4",
        "IMC_LOGIC_REVOKE_TIMEOUT": "1s"})
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


def clients(cluster, token):
    """A session of each kind on each comet."""
    for comet in cluster.comets:
        yield imgo.TcpClient(comet.tcp).auth(token)
        yield imgo.WsClient(comet.ws).auth(token)
        client = goim.TcpClient(comet.tcp)
        client.auth(token=token)
        yield client


def revoke(cluster, logic=1, **query):
    began = time.monotonic()
    status, answer = cluster.logics[logic].api.call("POST", "/1/admin/revoke", **query)
    assert status == 200 and answer["ret"] == 1, (status, answer)
    assert time.monotonic() - began < 5
    return answer["data"]["sessions"]


def is_let_in(cluster, token):
    lets = set()
    for comet in cluster.comets:
        client = imgo.TcpClient(comet.tcp)
        client.send_auth(token)
        try:
            lets.add(client.recv().op == imgo.AUTH_REPLY)
        except imgo.Closed as closed:
            assert closed.reason["code"] in (1, 7), closed.reason
            lets.add(False)
        client.close()
    assert len(lets) == 1
    return lets.pop()


def test_a_jwt_is_revoked_and_others_of_the_user_are_not(cluster, issuer, uid):
    token, other = issuer.token(uid, n=1), issuer.token(uid, n=2)
    ended, stay = list(clients(cluster, token)), list(clients(cluster, other))
    assert revoke(cluster, token=token) == len(ended)
    for client in ended:
        assert "revoked" in client.kicked(1, timeout=5)
    assert not is_let_in(cluster, token) and is_let_in(cluster, other)
    status, answer = cluster.api.call("GET", "/1/msg/get", uid=uid, token=token)
    assert answer["ret"] == 65533, answer
    cluster.api.push(uid, "1")
    for client in stay:
        client.push()
    cluster.api.ok("POST", "/1/admin/unrevoke", token=token)
    assert is_let_in(cluster, token)


def test_a_second_signature_does_not_make_another_token(cluster, issuer, uid):
    """If (r, s) fits by ECDSA, (r, n - s) does, too, and nobody needs the key to make it."""
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    token = issuer.token(uid)
    signed, _, signature = token.rpartition(".")
    r, s = (base64.urlsafe_b64decode(signature + "==")[i:i + 32] for i in (0, 32))
    twin = signed + "." + b64(r + (order - int.from_bytes(s, "big")).to_bytes(32, "big"))
    assert twin != token and is_let_in(cluster, twin)
    ended = [*clients(cluster, token), *clients(cluster, twin)]
    assert revoke(cluster, token=token) == len(ended)
    for client in ended:
        client.kicked(1, timeout=5)
    assert not is_let_in(cluster, twin) and not is_let_in(cluster, token)


def test_jwts_are_revoked_by_their_id(cluster, issuer, uid):
    token, other = issuer.token(uid, jti="one"), issuer.token(uid, jti="two")
    ended, stay = list(clients(cluster, token)), list(clients(cluster, other))
    assert revoke(cluster, uid=uid, jti="one") == len(ended)
    for client in ended:
        client.kicked(1, timeout=5)
    assert not is_let_in(cluster, token) and is_let_in(cluster, other)
    cluster.api.push(uid, "1")
    for client in stay:
        client.push()
    cluster.api.ok("POST", "/1/admin/unrevoke", uid=uid, jti="one")
    assert is_let_in(cluster, token)


def test_an_opaque_token_is_revoked_and_jwts_of_its_user_are_not(cluster, issuer, uid):
    token = cluster.api.token(uid)
    ended, stay = list(clients(cluster, token)), list(clients(cluster, issuer.token(uid)))
    assert revoke(cluster, token=token) == len(ended)
    for client in ended:
        client.kicked(1, timeout=5)
    assert not is_let_in(cluster, token)
    cluster.api.push(uid, "1")
    for client in stay:
        client.push()


def test_a_user_is_refused_for_a_time(cluster, issuer, uid):
    tokens = [cluster.api.token(uid), issuer.token(uid)]
    ended = [client for token in tokens for client in clients(cluster, token)]
    assert revoke(cluster, uid=uid, until=4) == len(ended)
    end = time.monotonic() + 4
    for client in ended:
        assert "refuses" in client.kicked(7, timeout=5)
    if time.monotonic() < end - 1.5:
        assert not any(is_let_in(cluster, token) for token in tokens)
    time.sleep(max(0, end + 0.2 - time.monotonic()))
    assert all(is_let_in(cluster, token) for token in tokens)


def test_all_tokens_of_a_user_that_exist_are_revoked(cluster, issuer, uid):
    old = [cluster.api.token(uid), issuer.token(uid)]
    ended = [client for token in old for client in clients(cluster, token)]
    assert revoke(cluster, uid=uid) == len(ended)
    for client in ended:
        client.kicked(1, timeout=5)
    assert not any(is_let_in(cluster, token) for token in old)
    time.sleep(2.1)  # a JWT says by the second when it was issued; logic doubts opaque tokens for one second
    assert is_let_in(cluster, issuer.token(uid)) and is_let_in(cluster, cluster.api.token(uid))
    cluster.api.ok("POST", "/1/admin/unrevoke", uid=uid)
    assert is_let_in(cluster, old[1])


def test_nobody_slips_through_while_he_connects(cluster, issuer, uid):
    """Sessions connect all the time on both comets while the token is revoked: in the end none is there."""
    token, stop, opened = issuer.token(uid), threading.Event(), []

    def storm(comet):
        while not stop.is_set():
            client = imgo.TcpClient(comet.tcp)
            client.send_auth(token)
            opened.append(client)
            time.sleep(0.01)
    storms = [threading.Thread(target=storm, args=(comet,)) for comet in cluster.comets for _ in range(2)]
    for thread in storms:
        thread.start()
    time.sleep(0.3)
    revoke(cluster, token=token)
    time.sleep(0.3)
    stop.set()
    for thread in storms:
        thread.join()
    assert len(opened) > 20
    for client in opened:
        reason = client.wait_closed(timeout=5)
        assert reason is not None and reason["code"] in (1, 6), reason


def test_parameters_and_limits(cluster, issuer, uid):
    for query in ({}, {"uid": uid, "token": "x"}, {"uid": "x"}, {"uid": uid, "until": 0}, {"uid": uid, "jti": ""},
                  {"uid": uid, "until": 5, "jti": "x"}, {"uid": uid, "before": -1}):
        cluster.api.refused(65534, "POST", "/1/admin/revoke", **query)
    cluster.api.refused(65533, "POST", "/1/admin/revoke", token="nobody has this")
    cluster.api.refused(65533, "POST", "/1/admin/unrevoke", uid=uid)
    for i in range(4):
        revoke(cluster, uid=uid, jti=f"id-{i}")
    cluster.api.refused(65534, "POST", "/1/admin/revoke", uid=uid, jti="one too many")
    revoke(cluster, uid=uid, jti="id-0")  # it is there already


def test_a_comet_that_stands_still_is_told_of(cluster, issuer, uid):
    token = issuer.token(uid)
    ended = list(clients(cluster, token))
    cluster.comets[1].pause()
    try:
        status, answer = cluster.api.call("POST", "/1/admin/revoke", token=token)
        assert status == 503 and "call again" in answer["error"], (status, answer)
    finally:
        cluster.comets[1].resume()
    wait_for(lambda: cluster.api.call("POST", "/1/admin/revoke", token=token)[0] == 200, 15, "all to be told")
    for client in ended:
        client.wait_closed(timeout=10)
