"""A JSON Web Token as a client's token: verified by logic itself, for all kinds of clients."""
import hashlib
import hmac
import json
import signal
import time

import pytest

import goim
import imgo
from cluster import Cluster, wait_for
from imgo import body_of
from jwts import Issuer, b64, public_pem
from traffic import QUICK

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def cluster(bus, issuer):
    cluster = Cluster(bus, env=QUICK | {"IMC_LOGIC_JWT_KEYS": issuer.setting, "IMC_LOGIC_JWT_LEEWAY": "1s"})
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


def refused(connect, comet, token, words):
    client = connect(comet)
    client.send_auth(token)
    assert words in client.kicked(1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_every_algorithm_lets_its_user_in(cluster, connect, issuer, uid, algorithm):
    client = connect(cluster.comets[0], issuer.token(uid, algorithm))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")


def test_its_claims_are_rooms_and_uids_may_be_numbers(cluster, connect, issuer, uid):
    token = issuer.token(uid, room="jwt-room", rooms=["jwt-1", "jwt-2"])
    client = connect(cluster.comets[0], token)
    for room in ("jwt-room", "jwt-1", "jwt-2"):
        cluster.api.ok("POST", "/1/push/room", "x", rid=room)
        assert client.push() == body_of(client, "x")


def test_goim_clients_have_their_operations_from_it(cluster, issuer, uid):
    comet = cluster.comets[0]
    client = goim.TcpClient(comet.tcp)
    token = issuer.token(uid, accepts=[1000])
    client.auth(token=token, mid=uid)
    cluster.api.ok("POST", "/1/push", "no", uid=uid, op=7)
    cluster.api.ok("POST", "/1/push", "yes", uid=uid, op=1000)
    assert client.recv().body == b"yes"
    other = goim.TcpClient(comet.tcp)
    other.send(imgo.AUTH, json.dumps({"token": token, "mid": uid + 1}).encode())
    assert "not that of mid" in other.kicked(1)


def test_what_is_not_good_is_refused_and_says_why(cluster, connect, issuer, uid):
    comet, now = cluster.comets[0], int(time.time())
    stranger = Issuer(cluster.directory)
    claims = {"sub": str(uid), "exp": now + 60}
    for token, words in (
            (issuer.token(uid, exp=now - 5), "expired"),
            (issuer.token(uid, exp=None), "no exp"),
            (issuer.token(uid, nbf=now + 30), "not valid yet"),
            (issuer.token(uid, aud="other"), "aud"),
            (issuer.token("alice"), "user"),
            (issuer.token(2 ** 63), "user"),
            (stranger.token(uid), "signature"),
            (issuer.token(uid)[:-4] + "AAAA", "signature"),
            (issuer.forged({"alg": "none"}, claims), "not signed"),
            (issuer.forged({"alg": "none"}, claims, b"x"), "algorithm"),
            (issuer.forged({"alg": "ES256"}, claims, bytes(64)), "signature"),
            (issuer.token(uid, headers={"crit": ["exp"]}), "crit"),
            (issuer.token(uid, headers={"jku": "http://127.0.0.1/"}), "jku"),
            (issuer.token(uid, key=bytes(100), algorithm="HS256"), "signature")):
        refused(connect, comet, token, words)
    assert cluster.sum("logic", 'imc_logic_jwt_total{result="signature"}') >= 4


def test_a_public_key_is_no_secret(cluster, connect, issuer, uid):
    for key in (issuer.rsa, issuer.ec, issuer.ed):
        unsigned = issuer.forged({"alg": "HS256"}, {"sub": str(uid), "exp": int(time.time()) + 60})[:-1]
        mac = hmac.new(public_pem(key), unsigned.encode(), hashlib.sha256).digest()
        refused(connect, cluster.comets[0], f"{unsigned}.{b64(mac)}", "signature")


def test_opaque_tokens_still_work(cluster, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")


def test_waiting_messages_are_read_with_it(cluster, issuer, uid):
    cluster.api.push(uid, "1")
    wait_for(lambda: len(cluster.api.waiting(uid, issuer.token(uid))) == 1, 15, "the message")
    status, answer = cluster.api.call("GET", "/1/msg/get", uid=uid + 1, token=issuer.token(uid))
    assert status == 200 and answer["ret"] == 65533, answer


def test_a_session_ends_when_its_token_does(cluster, connect, issuer, uid):
    """exp + jwt.leeway: 3 s at most here."""
    client = connect(cluster.comets[0], issuer.token(uid, lifetime=2))
    began = time.monotonic()
    assert "expired" in client.kicked(1)
    assert time.monotonic() - began > 1
    assert cluster.sum("comet", "imc_comet_tokens_ended_total") >= 1


def test_keys_are_read_again_on_sighup(make_cluster, tmp_path, uid):
    first = Issuer(tmp_path)
    cluster = make_cluster(env=QUICK | {"IMC_LOGIC_JWT_KEYS": first.setting})
    logic, address = cluster.logics[0], cluster.comets[0].tcp
    imgo.TcpClient(address).auth(first.token(uid, "EdDSA"))
    second = Issuer(tmp_path)
    logic.popen.send_signal(signal.SIGHUP)

    def taken():
        client = imgo.TcpClient(address)
        client.send_auth(second.token(uid, "EdDSA"))
        try:
            return client.recv().op == imgo.AUTH_REPLY
        except imgo.Closed:
            return False
    wait_for(taken, 10, "the new key to be taken")
    client = imgo.TcpClient(address)
    client.send_auth(first.token(uid, "EdDSA"))
    assert "signature" in client.kicked(1)
