"""What comes to a TLS port and is no TLS, or never becomes a handshake; and TLS at a plain port."""
import itertools
import socket
import ssl
import time

import pytest

import imgo
import tls
from cluster import wait_for


@pytest.fixture(scope="module")
def cluster(bus):
    env = {"IMC_COMET_CONN_HANDSHAKE_TIMEOUT": "1s", "IMC_COMET_LOGIC_CONNECT_TIMEOUT": "1s",
           "IMC_COMET_CONN_HANDSHAKES": "3", "IMC_COMET_COMET_WORKERS": "1"}
    with tls.running(bus, env=env) as made:
        yield made


def hello():
    """A client's first record."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    conn = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        conn.do_handshake()
    return out.read()


def ended(sock):
    """Seconds until the server ends the connection."""
    begin = time.monotonic()
    sock.settimeout(imgo.PATIENCE)
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - begin


@pytest.mark.parametrize("port", ["tcps", "wss"])
@pytest.mark.parametrize("data", [imgo.frame(imgo.AUTH, b"x"), b"GET /sub HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_plain_bytes_are_counted_and_cut(cluster, port, data):
    comet = cluster.comets[0]
    before = comet.metrics()["imc_comet_tls_plain_total"]
    with socket.create_connection(getattr(comet, port)) as sock:
        sock.sendall(data)
        assert ended(sock) < 0.9 * imgo.PATIENCE
    assert comet.metrics()["imc_comet_tls_plain_total"] == before + 1
    assert f"listener={port}" in comet.log()


def test_tls_at_a_plain_port(cluster):
    comet = cluster.comets[0]
    with imgo.TcpClient(comet.tcp) as client:
        client.sock.sendall(hello())
        assert "looks like TLS" in client.kicked(3)
    with socket.create_connection(comet.ws) as sock:
        sock.sendall(hello())
        assert b"looks like TLS" in sock.recv(4096)


@pytest.mark.parametrize("part", ["nothing", "half", "dribble", "all"])
def test_a_handshake_that_does_not_end_is_cut_in_time(cluster, part):
    """Nothing, a half hello, a byte now and then, or a whole hello without what should follow."""
    data = hello()
    with socket.create_connection(cluster.comets[0].tcps) as sock:
        begin = time.monotonic()
        if part == "half":
            sock.sendall(data[:len(data) // 2])
        elif part == "all":
            sock.sendall(data)
        elif part == "dribble":
            sock.settimeout(0.1)
            for byte in data[:30]:
                try:
                    sock.sendall(bytes([byte]))
                    if not sock.recv(4096):
                        break
                except socket.timeout:
                    continue
                except ConnectionError:
                    break
        ended(sock)
        assert 0.7 < time.monotonic() - begin < 0.9 * imgo.PATIENCE


def test_handshakes_beyond_the_limit_wait(cluster, uid):
    """Half handshakes keep others out only until their deadline; nobody is refused, sessions go on."""
    comet = cluster.comets[0]
    context = cluster.context()
    session = tls.open_client("tcp", comet, context, cluster.api.token(uid))
    halves = [socket.create_connection(comet.tcps) for _ in range(3)]
    for sock in halves:
        sock.sendall(hello())
        assert sock.recv(1)
    waits = socket.create_connection(comet.tcps)
    wait_for(lambda: comet.metrics()["imc_comet_tls_put_off_total"] >= 1, what="accepting to stop")
    waits.close()
    cluster.api.push(uid, "hello")
    assert session.push() == b"hello"
    with imgo.TcpClient(comet.tcps, tls=context) as late:
        assert late.sock.version()
    for sock in halves:
        ended(sock)
        sock.close()
    session.close()


def test_failed_handshakes_are_counted(cluster):
    comet = cluster.comets[0]
    before = tls.handshakes(comet, "tcps", "failed")
    tries = itertools.count(1)

    def is_logged():
        """A comet logs one failure a second, of whichever kind."""
        with pytest.raises(ssl.SSLCertVerificationError):
            imgo.TcpClient(comet.tcps, tls=ssl.create_default_context())
        tried = before + next(tries)
        wait_for(lambda: tls.handshakes(comet, "tcps", "failed") == tried, what="the count")
        return "the peer refuses: unknown CA" in comet.log()

    wait_for(is_logged, 10, every=0.3)
