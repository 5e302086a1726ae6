"""The HTTP API and the admin pages over TLS: api.tls, admin.tls, members.tls, --health."""
import http.client
import os
import socket
import ssl
import subprocess

import pytest

from cluster import BUILD, ROOT, Api, Daemon, wait_for
from traffic import QUICK

KINDS = ("comet", "logic", "router", "job")


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certs")
    subprocess.run([ROOT / "scripts/make-certs", directory], check=True, stdout=subprocess.DEVNULL)
    return directory


def settings(kind, certs):
    return {f"IMC_{kind.upper()}_{name}": value for name, value in (
        ("ADMIN_TLS", "yes"), ("MEMBERS_TLS", "yes"), ("TLS_CERTIFICATE", str(certs / "server.pem")),
        ("TLS_KEY", str(certs / "server-key.pem")), ("TLS_CA", str(certs / "ca.pem")))}


@pytest.fixture
def cluster(own_cluster, certs, monkeypatch):
    """Daemons that find each other by admin pages over TLS. One is listed by name, the others by address."""
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    monkeypatch.setattr(Daemon, "context", context)
    monkeypatch.setattr(Api, "context", context)
    env = {**QUICK, "IMC_LOGIC_API_TLS": "yes"}
    for kind in KINDS:
        env.update(settings(kind, certs))
    return own_cluster(env=env, members=[])


def ports(cluster):
    return [cluster.logics[0].http, *(daemon.admin for daemon in cluster.daemons())]


def test_calls_and_pages_go_over_tls(cluster):
    for _ in range(50):  # on one connection
        cluster.api.push(1, "x" * 1000)
    assert cluster.sum("router", "imc_members_silent") == 0
    logic = cluster.logics[0].metrics()
    assert logic['imc_tls_handshakes_total{end="server",name="api",result="full"}'] >= 1
    assert logic['imc_tls_handshakes_total{end="server",name="admin",result="full"}'] >= 1


def test_a_long_answer_comes_whole(cluster):
    token = cluster.api.token(77)
    for n in range(20):
        cluster.api.push(77, f"{n}:" + "y" * 60000)
    wait_for(lambda: cluster.mailbox(77) == 20, what="all to be stored")
    bodies = cluster.api.waiting(77, token)  # a page of them: mailbox.page_bytes
    assert len(bodies) > 15 and all(len(body) > 60000 for body in bodies)
    assert [body.split(b":")[0] for body in bodies] == [str(n).encode() for n in range(len(bodies))]


def test_a_long_body_comes_whole(cluster):
    many = list(range(1000, 6000))
    assert cluster.api.pushs(many, "z" * 2000) == {"ret": 1}


def test_curl_takes_the_certificate(cluster, certs):
    for port in ports(cluster):
        path = "/1/count?type=room" if port == cluster.logics[0].http else "/healthz"
        subprocess.run(["curl", "-fsS", "--cacert", certs / "ca.pem", f"https://127.0.0.1:{port}{path}"], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)
        assert subprocess.run(["curl", "-sS", f"https://127.0.0.1:{port}{path}"], check=False, timeout=20,
                              capture_output=True).returncode == 60  # the certificate of nobody it knows


def test_http_1_1_is_agreed_on(cluster, certs):
    for port in ports(cluster):
        for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), ([], None)):
            context = ssl.create_default_context(cafile=certs / "ca.pem")
            if offered:
                context.set_alpn_protocols(offered)
            with socket.create_connection(("127.0.0.1", port), 10) as raw:
                with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
                    assert wrapped.selected_alpn_protocol() == agreed


def test_plain_http_is_told_so(cluster):
    for port in ports(cluster):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        assert response.status == 400 and "use https" in response.read().decode()


def test_health_asks_over_tls(cluster, certs):
    for daemon in cluster.daemons():
        env = {**os.environ, **settings(daemon.kind, certs), f"IMC_{daemon.kind.upper()}_ADMIN_LISTEN": f"127.0.0.1:{daemon.admin}"}
        subprocess.run([str(BUILD / daemon.kind / f"imc-{daemon.kind}"), "--health"], env=env, check=True, timeout=20)


@pytest.mark.parametrize("name", ["IMC_LOGIC_API_TLS", "IMC_LOGIC_ADMIN_TLS"])
def test_without_a_certificate_it_does_not_start(name, tmp_path, cluster):
    env = {**os.environ, name: "yes", "IMC_LOGIC_ADMIN_LISTEN": "127.0.0.1:0", "IMC_LOGIC_API_LISTEN": "127.0.0.1:0",
           "IMC_LOGIC_RPC_LISTEN": "127.0.0.1:0", "IMC_LOGIC_REDIS_SERVERS": cluster.env["REDIS"],
           "IMC_LOGIC_BUS_BROKERS": cluster.bus.brokers, "IMC_LOGIC_LEASE_ID": "another"}
    run = subprocess.run([str(BUILD / "logic" / "imc-logic")], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1 and "tls.certificate" in run.stderr, run.stderr
