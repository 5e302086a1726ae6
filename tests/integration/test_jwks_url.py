"""Keys of JSON Web Tokens by HTTP (jwt.jwks_url): rotated, away, wrong, slow, and asked for by strangers."""
import contextlib
import ssl
import time

import pytest

import certificates
import imgo
from cluster import SLOW, Cluster, wait_for
from jwts import Issuer, KeyServer, jwk
from traffic import QUICK

PAUSE = 0.5
SETTINGS = QUICK | {"IMC_LOGIC_JWT_JWKS_REFRESH": "1h", "IMC_LOGIC_JWT_JWKS_PAUSE": "500ms",
                    "IMC_LOGIC_JWT_JWKS_TIMEOUT": "1s", "IMC_LOGIC_JWT_JWKS_MAX": "16k"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def server():
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster(bus, issuer, server):
    server.keys = [jwk(issuer.ec, "first")]
    cluster = Cluster(bus, env=SETTINGS | {"IMC_LOGIC_JWT_JWKS_URL": server.url})
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(autouse=True)
def pause_is_over():
    yield
    time.sleep(PAUSE)


def verdict(cluster, token):
    """0: admitted, or the code of the refusal."""
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp)) as client:
        client.send_auth(token)
        try:
            assert client.recv().op == imgo.AUTH_REPLY
            return 0
        except imgo.Closed:
            return client.reason["code"]


def first(issuer, uid):
    return issuer.token(uid, "ES256", headers={"kid": "first"})


def test_keys_are_fetched_and_rotated(cluster, server, issuer, uid):
    assert verdict(cluster, first(issuer, uid)) == 0
    token = issuer.token(uid, "EdDSA", headers={"kid": "second"})
    asked = server.asked
    server.keys.append(jwk(issuer.ed, "second"))
    assert verdict(cluster, token) == 0, "a new key is fetched at once"
    assert server.asked == asked + 1
    server.keys.pop()
    time.sleep(PAUSE)
    assert verdict(cluster, issuer.token(uid, "EdDSA", headers={"kid": "third"})) == 1
    assert verdict(cluster, token) == 1, "what is taken out is gone"
    assert verdict(cluster, first(issuer, uid)) == 0


def test_strangers_do_not_flood_it(cluster, server, issuer, uid):
    asked, began = server.asked, time.monotonic()
    for number in range(60):
        assert verdict(cluster, issuer.token(uid, headers={"kid": f"stranger-{number}"})) == 1
    assert server.asked - asked <= 1 + (time.monotonic() - began) / PAUSE
    assert cluster.sum("logic", "imc_logic_jwks_too_soon_total") > 0


def huge(handler):
    KeyServer.respond(handler, b" " * 17000 + b'{"keys":[]}')


def slow(handler):
    """A body that never ends: a byte every 50 ms."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(b" ")
            time.sleep(0.05)


def broken(handler):
    """Hangs up within the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"keys":[')


@pytest.mark.parametrize("answer, result", (
    (lambda handler: KeyServer.respond(handler, b"<html>no keys</html>"), "answer"),
    (lambda handler: KeyServer.respond(handler, b'{"keys":[]}'), "answer"),
    (lambda handler: KeyServer.respond(handler, b"{}", 500), "status"),
    (huge, "answer"), (slow, "timeout"), (broken, "connect")))
def test_what_is_no_set_of_keys_keeps_the_old_ones(cluster, server, issuer, uid, answer, result):
    count = f'imc_logic_jwks_fetches_total{{result="{result}"}}'
    before, began = cluster.sum("logic", count), time.monotonic()
    server.answer = answer
    try:
        assert verdict(cluster, issuer.token(uid, headers={"kid": "new"})) == 12
        assert time.monotonic() - began < 2 * SLOW
        assert cluster.sum("logic", count) == before + 1
        assert verdict(cluster, first(issuer, uid)) == 0
    finally:
        server.answer = None
    good = 'imc_logic_jwks_fetches_total{result="good"}'
    fetched = cluster.sum("logic", good)
    wait_for(lambda: cluster.sum("logic", good) > fetched, 10 * SLOW, "the next fetch, which logic makes by itself")


def test_away_at_the_start_and_later(bus, make_cluster, issuer, uid):
    server = KeyServer()
    server.stop()
    cluster = make_cluster(env=SETTINGS | {"IMC_LOGIC_JWT_JWKS_URL": server.url, "IMC_LOGIC_JWT_JWKS_REFRESH": "1s"})
    assert verdict(cluster, first(issuer, uid)) == 12
    server.keys = [jwk(issuer.ec, "first")]
    server.start()
    wait_for(lambda: verdict(cluster, first(issuer, uid)) == 0, 20 * SLOW, "the keys to be fetched")
    server.stop()
    failed = 'imc_logic_jwks_fetches_total{result="connect"}'
    before = cluster.sum("logic", failed)
    wait_for(lambda: cluster.sum("logic", failed) >= before + 2, 20 * SLOW, "two fetches that fail")
    assert verdict(cluster, first(issuer, uid)) == 0
    wait_for(lambda: cluster.sum("logic", "imc_logic_jwks_age_seconds") >= 2, 20 * SLOW, "the keys to age")
    (logic,) = cluster.logics
    text = logic.log()
    assert text.count("keys of jwt.jwks_url not fetched") == 2, "one line each time that it began to fail"
    assert text.count("keys of jwt.jwks_url are fetched again") == 1
    server.start()
    wait_for(lambda: cluster.sum("logic", "imc_logic_jwks_age_seconds") <= 1, 20 * SLOW, "fresh keys")
    server.stop()


def test_over_tls(make_cluster, issuer, tmp_path, uid):
    authority = certificates.Authority(tmp_path / "ours", "localhost", "127.0.0.1")
    other = certificates.Authority(tmp_path / "other", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path("server.pem"), authority.path("server-key.pem"))
    server = KeyServer(context=context)
    try:
        server.keys = [jwk(issuer.ec, "first")]
        cluster = make_cluster(env=SETTINGS | {"IMC_LOGIC_JWT_JWKS_URL": server.url,
                                               "IMC_LOGIC_TLS_CA": str(authority.ca)})
        assert verdict(cluster, first(issuer, uid)) == 0
        asked = server.asked
        (logic,) = cluster.logics
        certificates.restart(logic, TLS_CA=str(other.ca))
        wait_for(logic.ready)
        wait_for(cluster.comets[0].ready)
        assert verdict(cluster, first(issuer, uid)) == 12
        assert server.asked == asked
    finally:
        server.stop()
