"""imc-client over TLS: it believes a CA that it is given, and nobody else unless it is told so."""
import subprocess

import pytest

import cluster as cluster_module
import tls


@pytest.fixture(scope="module")
def cluster(bus):
    with tls.running(bus) as made:
        yield made


def client(cluster, way, *args, host="localhost"):
    comet = cluster.comets[0]
    port = (comet.tcps if way == "tcp" else comet.wss)[1]
    return [cluster_module.BUILD / "client" / "imc-client", f"--{way}", f"{host}:{port}", "--timeout", "20", *args]


@pytest.mark.parametrize("way", ["tcp", "ws"])
@pytest.mark.parametrize("trust", ["cacert", "insecure"])
def test_it_gets_a_push(cluster, way, trust, uid):
    token = cluster.api.token(uid)
    args = ["--cacert", str(cluster.certs / "ca.pem")] if trust == "cacert" else ["--insecure"]
    cluster.api.push(uid, '"hello"')
    done = subprocess.run(client(cluster, way, "--token", token, "--count", "1", *args), capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'op=5 seq=0 body="hello"\n'


@pytest.mark.parametrize("way", ["tcp", "ws"])
def test_it_refuses_whom_it_does_not_know(cluster, way, uid):
    token = cluster.api.token(uid)
    done = subprocess.run(client(cluster, way, "--token", token, "--tls"), capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 3, done.stderr
    if way == "tcp":
        assert "unknown CA" in done.stderr
