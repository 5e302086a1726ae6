"""Clients whose first TLS record does not become whole cost little, and keep nobody out."""
import contextlib
import socket
import ssl

import pytest

import tls
from cluster import wait_for

STRANGERS = 300


@pytest.fixture(scope="module")
def cluster(bus):
    """300 clients with a whole hello each, of 8 KiB, would be more than its conn.strangers."""
    with tls.running(bus, env={"IMC_COMET_CONN_STRANGERS": "1m", "IMC_COMET_CONN_HANDSHAKE_TIMEOUT": "20s"}) as made:
        yield made


def hello():
    """A client's first record."""
    out = ssl.MemoryBIO()
    conn = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        conn.do_handshake()
    return out.read()


@pytest.mark.parametrize("form", ["tcp", "ws"])
@pytest.mark.parametrize("part", [1, 100])
def test_they_keep_nobody_out(cluster, form, part, uid):
    comet, data = cluster.comets[0], hello()[:part]

    def kept():
        return comet.metrics()["imc_comet_stranger_bytes"]

    with contextlib.ExitStack() as stack:
        for _ in range(STRANGERS):
            stack.enter_context(socket.create_connection(comet.tcps)).sendall(data)
        wait_for(lambda: kept() >= STRANGERS * 512, what="the strangers to count")
        tls.open_client(form, comet, cluster.context(), cluster.api.token(uid)).close()
        assert STRANGERS * 512 <= kept() < STRANGERS * 1024
    wait_for(lambda: kept() == 0, what="the strangers to be gone")
