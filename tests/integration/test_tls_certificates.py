"""Certificates: the host name picks one, SIGHUP brings new ones and ends no session, bad ones are refused at the start."""
import os
import signal
import ssl
import subprocess

import pytest

import cluster as cluster_module
import imgo
import tls
from cluster import wait_for


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certs")
    tls.make_certs(directory)
    tls.make_certs(directory, "--pair", "a.example=a", "--pair", "b.example=b", [])
    return directory


@pytest.fixture(scope="module")
def cluster(bus, certs):
    files = {"CERTIFICATE": "{}.pem", "KEY": "{}-key.pem"}
    env = {f"IMC_COMET_TLS_{key}": ",".join(str(certs / form.format(name)) for name in ("server", "a", "b"))
           for key, form in files.items()}
    with tls.running(bus, certs=certs, env=env) as made:
        yield made


def serial(comet, context, name):
    with imgo.TcpClient(comet.tcps, tls=context, name=name) as client:
        return client.sock.getpeercert()["serialNumber"]


def test_the_host_name_picks_a_certificate(cluster):
    comet, context = cluster.comets[0], cluster.context()
    names = ("localhost", "a.example", "b.example")
    assert len({serial(comet, context, name) for name in names}) == 3
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(comet, context, "c.example")


def test_alpn(cluster):
    comet = cluster.comets[0]
    web = cluster.context(alpn=["h2", "http/1.1"])
    with imgo.WsClient(comet.wss, tls=web) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"
    with pytest.raises(ssl.SSLError):
        imgo.WsClient(comet.wss, tls=cluster.context(alpn=["h2"]))
    with imgo.TcpClient(comet.tcps, tls=cluster.context(alpn=["imc"])) as client:
        assert client.sock.selected_alpn_protocol() is None


def reloads(comet, result):
    return comet.metrics()[f'imc_reloads_total{{what="tls",result="{result}"}}']


def test_sighup_brings_a_new_one_and_ends_no_session(cluster, certs, uid):
    comet, context = cluster.comets[0], cluster.context()
    old = serial(comet, context, "localhost")
    client = tls.open_client("tcp", comet, context, cluster.api.token(uid))
    tls.make_certs(certs, "--renew", [])
    assert serial(comet, context, "localhost") == old
    os.kill(comet.popen.pid, signal.SIGHUP)
    wait_for(lambda: reloads(comet, "ok") == 1, what="the reload")
    assert serial(comet, context, "localhost") != old
    cluster.api.push(uid, "still there")
    assert client.push() == b"still there"
    client.close()


def test_a_bad_one_changes_nothing(cluster, certs):
    comet, context = cluster.comets[0], cluster.context()
    before = serial(comet, context, "localhost")
    key = certs / "server-key.pem"
    good = key.read_bytes()
    key.write_text("no key\n")
    try:
        os.kill(comet.popen.pid, signal.SIGHUP)
        wait_for(lambda: reloads(comet, "failed") == 1, what="the failed reload")
    finally:
        key.write_bytes(good)
    assert serial(comet, context, "localhost") == before
    assert "server-key.pem" in comet.log() and "what was loaded before stays in use" in comet.log()


def test_what_is_bad_at_the_start_is_refused(certs, tmp_path):
    binary = cluster_module.BUILD / "comet" / "imc-comet"
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    cases = [
        ({"CERTIFICATE": certs / "gone.pem", "KEY": certs / "server-key.pem"}, "no such file"),
        ({"CERTIFICATE": certs / "server.pem", "KEY": certs / "a-key.pem"}, "is not the key of"),
        ({"CERTIFICATE": empty, "KEY": certs / "server-key.pem"}, "has no certificate"),
        ({"MIN_VERSION": "1.1"}, "want 1.2 or 1.3"),
        ({"TICKET_KEYS": certs / "server.pem"}, "no key"),
    ]
    for settings, why in cases:
        env = {f"IMC_COMET_TLS_{key}": str(value) for key, value in settings.items()}
        done = subprocess.run([binary, "--check"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and why in done.stderr, done.stderr


def test_a_port_without_a_certificate_is_refused():
    binary = cluster_module.BUILD / "comet" / "imc-comet"
    env = {"IMC_COMET_TCPS_LISTEN": "127.0.0.1:0"}
    done = subprocess.run([binary, "--check"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "tcps.listen" in done.stderr and "tls.certificate" in done.stderr
