"""Connections of one client address are limited over all loops, and proxies that are trusted say whose they are."""
import contextlib
import socket
import struct

import pytest

import imgo
import upstream
from cluster import wait_for

PER_ADDRESS, BURST = 20, 30
PROXY = "127.0.0.9"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def limits(**more):
    return {"IMC_COMET_COMET_WORKERS": "3", "IMC_COMET_CONN_TRUSTED": "127.0.0.7",
            "IMC_COMET_CONN_PER_ADDRESS": str(PER_ADDRESS), **more}


def refused(cluster, reason):
    return cluster.comets[0].metrics()[f'imc_comet_refused_total{{reason="{reason}"}}']


def dial(address, source):
    sock = socket.socket()
    sock.bind((source, 0))
    sock.settimeout(imgo.PATIENCE)
    sock.connect(address)
    return sock


def was_reset(sock, patience=imgo.PATIENCE):
    """False: it was closed in another way, or nothing has happened for so long."""
    sock.settimeout(patience)
    try:
        sock.recv(1)
    except ConnectionResetError:
        return True
    except TimeoutError:
        pass
    return False


def until_refused(address, source, most=200):
    """Opens connections until one is reset. Those that were let in."""
    held = []
    for _ in range(most):
        try:
            sock = dial(address, source)
        except ConnectionResetError:
            return held
        if was_reset(sock, 0.1):
            return held
        held.append(sock)
    raise AssertionError(f"{most} connections, and none was refused")


class Behind(imgo.TcpClient):
    """A client behind a proxy that says HEADER first."""

    def __init__(self, address, header, source=PROXY):
        super().__init__(address, source=source)
        self.sock.sendall(header)


@pytest.fixture
def cluster(make_cluster):
    return lambda **more: make_cluster(env=limits(**more))


def test_an_address_has_so_many_over_all_loops(cluster, uid):
    cluster = cluster()
    comet = cluster.comets[0]
    before = refused(cluster, "address")
    held = until_refused(comet.tcp, "127.0.0.2")
    assert len(held) == PER_ADDRESS
    assert refused(cluster, "address") == before + 1
    # Others notice nothing, and who is trusted has no limit.
    with imgo.TcpClient(comet.tcp, source="127.0.0.3") as other:
        other.auth(cluster.api.token(uid))
        cluster.api.push(uid, "hello")
        assert other.push() == imgo.body_of(other, "hello")
    trusted = [dial(comet.tcp, "127.0.0.7") for _ in range(2 * PER_ADDRESS)]
    assert refused(cluster, "address") == before + 1
    for sock in trusted + held[1:]:
        sock.close()

    def again():
        with contextlib.suppress(ConnectionResetError), imgo.TcpClient(comet.tcp, source="127.0.0.2") as client:
            return not was_reset(client.sock, 0.1)
    wait_for(again, what="the address to be let in again")
    held[0].close()
    wait_for(lambda: comet.metrics()["imc_comet_addresses"] <= 1, what="addresses to be forgotten")


def test_an_address_opens_so_many_a_second(cluster):
    cluster = cluster(IMC_COMET_CONN_RATE_PER_ADDRESS="2", IMC_COMET_CONN_RATE_BURST=str(BURST),
                      IMC_COMET_CONN_PER_ADDRESS="0")
    held = until_refused(cluster.comets[0].ws, "127.0.0.2")
    assert BURST <= len(held) <= BURST + 20, len(held)  # some were earned meanwhile
    assert refused(cluster, "rate") == 1
    assert not was_reset(dial(cluster.comets[0].ws, "127.0.0.3"), 0.2)


def test_x_forwarded_for_of_a_trusted_proxy(cluster, uid):
    cluster = cluster(IMC_COMET_PROXY_TRUSTED=PROXY, IMC_COMET_CONN_PER_ADDRESS="1")
    comet = cluster.comets[0]

    def client(address, source=PROXY):
        return imgo.WsClient(comet.ws, source=source, headers=(f"X-Forwarded-For: 192.0.2.99, {address}",))
    with client("192.0.2.7") as one, client("192.0.2.8"):
        one.auth(cluster.api.token(uid))
        with pytest.raises(AssertionError, match="429(?s:.)*Retry-After"):
            client("192.0.2.7")
        # Who is no proxy has its own address, whatever it says.
        with client("192.0.2.7", source="127.0.0.2"):
            assert refused(cluster, "address") == 1

    def again():
        with contextlib.suppress(AssertionError), client("192.0.2.7"):
            return True
    wait_for(again, what="the address to be let in again")


@pytest.fixture
def proxied(bus, make_cluster):
    """With upstream, where events have the address that logic was told."""
    env, topic = upstream.settings(bus, **limits(IMC_COMET_PROXY_TRUSTED=PROXY, IMC_COMET_PROXY_PROTOCOL="on",
                                                 IMC_COMET_CONN_PER_ADDRESS="2"))
    cluster = make_cluster(env=env)
    cluster.upstream = topic
    return cluster


def test_the_proxy_protocol(proxied, uid):
    comet = proxied.comets[0]
    v1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 8080\r\n"
    v2 = V2 + b"\x21\x11" + struct.pack(">H", 12) + socket.inet_aton("192.0.2.7") + bytes(8)
    with Behind(comet.tcp, v1) as one, Behind(comet.tcp, v2) as two:
        for client in (one, two):
            client.auth(proxied.api.token(uid))
        proxied.api.push(uid, "hello")
        assert [client.push() for client in (one, two)] == [imgo.body_of(one, "hello")] * 2
        one.send(4, b"to the business", 5)
        assert one.recv().seq == 5
        (event,) = upstream.of_uid(proxied, uid)
        assert dict(event.headers)["ce_address"] == "192.0.2.7"
        with Behind(comet.tcp, v1) as three:
            assert was_reset(three.sock)
        assert refused(proxied, "address") == 1
    with Behind(comet.tcp, b"GET / HTTP/1.1\r\n\r\n") as wrong:
        assert was_reset(wrong.sock)
    assert refused(proxied, "header") == 1
    assert not until_refused(comet.tcp, "127.0.0.2")
    assert refused(proxied, "proxy") == 1
