"""tls.kernel: Linux encrypts what clients get over TLS 1.3, where it can."""
import pathlib
import subprocess

import pytest

import cluster as cluster_module
import tls
from cluster import wait_for

HAS_TLS = "tls" in pathlib.Path("/proc/sys/net/ipv4/tcp_available_ulp").read_text(encoding="ascii").split()


def connections(comet, who):
    return comet.metrics()[f'imc_comet_tls_connections{{sealed_by="{who}"}}']


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_auto_serves_either_way(bus, uid, version):
    """The metric says who encrypts; where it is not the kernel, the log says once why."""
    with tls.running(bus, env={"IMC_COMET_TLS_KERNEL": "auto"}) as cluster:
        comet = cluster.comets[0]
        with tls.open_client("tcp", comet, cluster.context(version), cluster.api.token(uid)) as client:
            for text in ("one", "two"):
                cluster.api.push(uid, text)
                assert client.push() == text.encode()
            assert connections(comet, "kernel") + connections(comet, "daemon") == 1
            assert connections(comet, "daemon") == 1 or (HAS_TLS and version == "1.3")
        wait_for(lambda: connections(comet, "kernel") + connections(comet, "daemon") == 0, what="the end")
        if not HAS_TLS:
            assert comet.log().count("tls.kernel = auto: comet encrypts itself") == 1


@pytest.mark.skipif(not HAS_TLS, reason="this kernel has no TLS")
def test_on_is_the_kernel(bus, uid):
    with tls.running(bus, env={"IMC_COMET_TLS_KERNEL": "on"}) as cluster:
        comet = cluster.comets[0]
        with tls.open_client("tcp", comet, cluster.context("1.3"), cluster.api.token(uid)) as client:
            cluster.api.push(uid, 40000 * "x")
            assert client.push() == 40000 * b"x"
            assert connections(comet, "kernel") == 1


@pytest.mark.skipif(HAS_TLS, reason="this kernel has TLS")
def test_on_is_refused(tmp_path):
    """comet ends, and says what is missing and what to do."""
    tls.make_certs(tmp_path)
    port = cluster_module.free_port()
    env = {"IMC_COMET_TLS_KERNEL": "on", "IMC_COMET_TLS_CERTIFICATE": str(tmp_path / "server.pem"),
           "IMC_COMET_TLS_KEY": str(tmp_path / "server-key.pem"), "IMC_COMET_TCPS_LISTEN": f"127.0.0.1:{port}",
           "IMC_COMET_ADMIN_LISTEN": "127.0.0.1:0", "IMC_COMET_RPC_LISTEN": "127.0.0.1:0"}
    done = subprocess.run([cluster_module.BUILD / "comet" / "imc-comet"], env=env, capture_output=True, text=True,
                          check=False, timeout=30)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "unavailable: tls.kernel = on" in line]
    assert len(said) == 1 and "modprobe tls" in said[0] and "tls.kernel = auto" in said[0], done.stderr


def test_other_words_are_refused():
    env = {"IMC_COMET_TLS_KERNEL": "yes"}
    done = subprocess.run([cluster_module.BUILD / "comet" / "imc-comet", "--check"], env=env, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "tls.kernel has to be off, auto or on" in done.stderr
