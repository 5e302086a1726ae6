"""A client sends another token in its open session, before the one that let it in expires."""
import contextlib
import json
import threading
import time

import jwt
import pytest

import business as business_module
import goim
import imgo
from cluster import SLOW, Cluster, wait_for
from imgo import body_of
from jwts import Issuer
from traffic import QUICK

INTERVAL = 0.5


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def cluster(bus, issuer):
    cluster = Cluster(bus, logics=2, env=QUICK | {
        "IMC_LOGIC_JWT_KEYS": issuer.setting, "IMC_LOGIC_JWT_LEEWAY": "0s",
        "IMC_COMET_SESSION_RENEW_INTERVAL": f"{INTERVAL * 1000:.0f}ms"})
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


class Client:
    """A client of one of the four kinds, as its session and its renewals are concerned."""

    def __init__(self, kind, comet, token, **auth):
        self.goim = kind.startswith("goim")
        made = {"tcp": imgo.TcpClient, "ws": imgo.WsClient, "goim-tcp": goim.TcpClient, "goim-ws": goim.WsClient}[kind]
        self.client = made(comet.tcp if kind.endswith("tcp") else comet.ws)
        self.extra = auth
        if self.goim:
            self.client.auth(token=token, **auth)
        else:
            self.client.auth(token)

    def send(self, token, seq=9, **more):
        if self.goim:
            self.client.send(goim.AUTH, json.dumps({"token": token, **self.extra, **more}).encode(), seq)
        else:
            self.client.send_auth(token, seq)

    def renew(self, token, seq=9, **more):
        self.send(token, seq, **more)
        reply = self.client.recv()
        assert (reply.op, reply.seq, reply.body or b"") == (imgo.AUTH_REPLY, seq, b""), reply

    def lives(self, seq=4):
        self.client.send(imgo.HEARTBEAT, seq=seq)
        reply = self.client.recv()
        assert (reply.op, reply.seq) == (3, seq), reply

    def refused(self, token, code, words, **more):
        self.send(token, **more)
        assert words in self.client.kicked(code)


KINDS = pytest.mark.parametrize("kind", ["tcp", "ws", "goim-tcp", "goim-ws"])


@KINDS
def test_the_session_goes_on_until_the_new_token_expires(cluster, issuer, uid, kind):
    began = time.time()
    client = Client(kind, cluster.comets[0], issuer.token(uid, lifetime=3))
    end = int(time.time()) + 7
    client.renew(issuer.token(uid, exp=end))
    client.lives()
    time.sleep(max(0, began + 4 - time.time()))
    client.lives()
    cluster.api.push(uid, "1")
    client.client.push()
    assert "expired" in client.client.kicked(1, timeout=10 * SLOW)
    assert end - 0.5 <= time.time() <= end + 2 * SLOW


@KINDS
def test_just_in_time(cluster, issuer, uid, kind):
    end = int(time.time()) + 3
    client = Client(kind, cluster.comets[0], issuer.token(uid, exp=end))
    time.sleep(max(0, end - 0.4 - time.time()))
    client.renew(issuer.token(uid, lifetime=60))
    time.sleep(1.5)
    client.lives()


@KINDS
def test_too_late(cluster, issuer, uid, kind):
    """The session has ended; what the client sends then reaches nobody, and it connects with the new token."""
    client = Client(kind, cluster.comets[0], issuer.token(uid, lifetime=2))
    assert "expired" in client.client.kicked(1, timeout=10 * SLOW)
    with contextlib.suppress(OSError):
        client.send(issuer.token(uid))
    Client(kind, cluster.comets[0], issuer.token(uid)).lives()


@KINDS
def test_a_token_that_is_not_good_ends_the_session(cluster, issuer, uid, kind):
    stranger = Issuer(cluster.directory)
    revoked = issuer.token(uid, n=1)
    cluster.api.ok("POST", "/1/admin/revoke", token=revoked)
    for token, words in ((issuer.token(uid + 1), "another user"), (stranger.token(uid), "signature"),
                         (issuer.token(uid, exp=int(time.time()) - 1), "expired"), ("unknown", "token"),
                         (revoked, "revoked")):
        Client(kind, cluster.comets[0], issuer.token(uid)).refused(token, 1, words)
    assert cluster.sum("comet", 'imc_comet_renewals_total{result="refused"}') >= 5


def of_device(issuer, uid, key):
    return jwt.encode({"sub": str(uid), "exp": int(time.time()) + 60, "key": key}, issuer.ec, "ES256")


@pytest.mark.parametrize("kind", ["goim-tcp", "goim-ws"])
def test_a_device_stays_what_it_is(cluster, issuer, uid, kind):
    comet = cluster.comets[0]
    client = Client(kind, comet, issuer.token(uid), key=f"phone-{uid}", mid=uid)
    client.renew(of_device(issuer, uid, f"phone-{uid}"))
    client.refused(issuer.token(uid), 10, "renew_interval")
    Client(kind, comet, issuer.token(uid), key=f"phone-{uid}").refused(of_device(issuer, uid, "other"), 1, "another key")
    Client(kind, comet, issuer.token(uid)).refused(issuer.token(uid), 1, "another key", key="named now")
    Client(kind, comet, issuer.token(uid)).refused(issuer.token(uid), 1, "mid", mid=uid + 1)
    named = Client(kind, comet, issuer.token(uid), key=f"pad-{uid}")
    named.extra = {"hello": True}
    named.send(issuer.token(uid))
    assert json.loads(named.client.recv().body)["key"] == f"pad-{uid}"


def test_an_object_is_goims(cluster, issuer, uid):
    client = Client("tcp", cluster.comets[0], issuer.token(uid))
    client.refused(json.dumps({"token": issuer.token(uid)}), 3, "goim")


@KINDS
def test_between_opaque_tokens_and_jwts(cluster, issuer, uid, kind):
    comet = cluster.comets[0]
    client = Client(kind, comet, issuer.token(uid, lifetime=3))
    opaque = cluster.api.token(uid)
    client.renew(opaque)
    time.sleep(4)
    client.lives()
    client.renew(issuer.token(uid, lifetime=2))
    assert "expired" in client.client.kicked(1, timeout=10 * SLOW)


def test_who_sends_nothing_else_costs_no_more_than_one_token(cluster, issuer, uid):
    def verified():
        return cluster.sum("logic", 'imc_logic_jwt_total{result="good"}')

    client = Client("tcp", cluster.comets[0], issuer.token(uid))
    before = verified()
    for seq in range(50):
        with contextlib.suppress(OSError):
            client.send(issuer.token(uid, n=seq), seq)
    reason = client.client.wait_closed()
    assert reason["code"] == 10, reason
    assert verified() - before <= 1
    assert cluster.sum("comet", 'imc_comet_renewals_total{result="too_soon"}') >= 1


@KINDS
def test_what_is_revoked_is_the_token_it_has_now(cluster, issuer, uid, kind):
    old, new = issuer.token(uid, n=1), issuer.token(uid, n=2)
    client = Client(kind, cluster.comets[0], old)
    client.renew(new)
    cluster.api.ok("POST", "/1/admin/revoke", token=old)
    client.lives()
    cluster.api.ok("POST", "/1/admin/revoke", token=new)
    assert "revoked" in client.client.kicked(1)


def test_nobody_slips_through_with_a_token_that_is_revoked_meanwhile(cluster, issuer, uids):
    """Sessions renew all the time, to a token that is revoked just then: none keeps it."""
    for uid in uids(12):
        new = issuer.token(uid, n="new")
        clients = [Client(kind, cluster.comets[0], issuer.token(uid, n=kind)) for kind in ("tcp", "ws", "goim-tcp", "goim-ws")]
        threads = [threading.Timer(0.002 * i, client.send, (new,)) for i, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        cluster.api.ok("POST", "/1/admin/revoke", token=new)
        for thread in threads:
            thread.join()
        for client in clients:
            reason = client.client.wait_closed(timeout=5 * SLOW)
            assert reason is not None and reason["code"] == 1, reason


def test_while_no_logic_answers(cluster, issuer, uid):
    waits = Client("tcp", cluster.comets[0], issuer.token(uid, lifetime=60))
    ends = Client("tcp", cluster.comets[0], issuer.token(uid, lifetime=3))
    for logic in cluster.logics:
        logic.pause()
    try:
        waits.send(issuer.token(uid, lifetime=90), seq=5)
        ends.send(issuer.token(uid, lifetime=90), seq=5)
        assert "new one" in ends.client.kicked(12, timeout=10 * SLOW)
        waits.lives()
    finally:
        for logic in cluster.logics:
            logic.resume()
    reply = waits.client.recv(timeout=30 * SLOW)
    assert (reply.op, reply.seq) == (imgo.AUTH_REPLY, 5)
    waits.lives()
    wait_for(cluster.comets[0].ready, 30 * SLOW)


@pytest.mark.parametrize("kind", ["tcp", "goim-ws"])
def test_the_business_is_asked_again(make_cluster, uid, kind):
    answers = {"first": {"uid": uid, "expire_at": 0}, "second": {"uid": uid}, "other": {"uid": uid + 1},
               "banned": {"disconnect": {"code": 7, "reason": "banned"}}}
    business = business_module.Business(lambda question: (200, answers[question["token"]]))
    try:
        cluster = make_cluster(env=QUICK | {"IMC_LOGIC_AUTH_URL": business.url()})
        answers["first"]["expire_at"] = int(time.time()) + 4
        client = Client(kind, cluster.comets[0], "first")
        assert "renew" not in business.questions[-1]
        client.renew("second")
        assert business.questions[-1]["renew"] is True and business.questions[-1]["token"] == "second"
        time.sleep(5)
        client.lives()
        answers["first"]["expire_at"] = int(time.time()) + 60
        Client(kind, cluster.comets[0], "first").refused("other", 1, "another user")
        Client(kind, cluster.comets[0], "first").refused("banned", 7, "banned")
    finally:
        business.stop()
