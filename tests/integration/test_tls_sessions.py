"""Sessions over TLS are like others: each wire form, TLS 1.2 and 1.3, pushes of every size, both ways."""
import ssl
import subprocess

import pytest

import imgo
import tls
from cluster import wait_for


@pytest.fixture(scope="module")
def cluster(bus):
    with tls.running(bus) as made:
        yield made


@pytest.fixture(params=list(tls.FORMS))
def form(request):
    return request.param


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_pushes_come(cluster, form, version, uid):
    token = cluster.api.token(uid, room=str(uid))
    with tls.open_client(form, cluster.comets[0], cluster.context(version), token) as client:
        assert client.sock.version() == f"TLSv{version}"
        cluster.api.push(uid, '"hello"')
        cluster.api.push_room(str(uid), '"room"')
        assert imgo.texts(client, 2) in (['"hello"', '"room"'], ["hello", "room"])
        client.send(imgo.HEARTBEAT)
        assert client.recv_op(imgo.HEARTBEAT_REPLY)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_long_ones_too(cluster, form, version, uid):
    """Longer than a record, and than what the socket takes at once."""
    sizes = [1, 16383, 16384, 16385, 40000, 65000]
    token = cluster.api.token(uid)
    with tls.open_client(form, cluster.comets[0], cluster.context(version), token, rcvbuf=4096) as client:
        for size in sizes:
            cluster.api.push(uid, '"' + "x" * size + '"')
        got = imgo.texts(client, len(sizes))
        assert sorted(len(text.strip('"')) for text in got) == sizes
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmations")


def test_many_frames_in_one_record(cluster, uid):
    with tls.open_client("tcp", cluster.comets[0], cluster.context(), cluster.api.token(uid)) as client:
        client.sock.sendall(b"".join(imgo.frame(imgo.HEARTBEAT, seq=i) for i in range(40)))
        assert [client.recv().seq for _ in range(40)] == list(range(40))


def test_a_frame_in_many_records(cluster, uid):
    with tls.open_client("tcp", cluster.comets[0], cluster.context()) as client:
        for byte in imgo.frame(imgo.AUTH, cluster.api.token(uid).encode()):
            client.sock.send(bytes([byte]))
        assert client.recv().op == imgo.AUTH_REPLY


def test_the_auth_may_come_with_the_handshake(cluster, uid):
    """What a client sends right behind its handshake is not lost: it may be in one packet with it."""
    token = cluster.api.token(uid)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    conn = cluster.context("1.3").wrap_bio(incoming, outgoing, server_hostname="localhost")
    client = imgo.TcpClient(cluster.comets[0].tcps)
    while True:
        try:
            conn.do_handshake()
            break
        except ssl.SSLWantReadError:
            client.sock.sendall(outgoing.read())
            incoming.write(client.sock.recv(65536))
    conn.write(imgo.frame(imgo.AUTH, token.encode()))
    client.sock.sendall(outgoing.read())
    while True:
        incoming.write(client.sock.recv(65536))
        try:
            data = conn.read()
            break
        except ssl.SSLWantReadError:
            continue
    assert data[8:12] == b"\0\0\0\x08", data


def test_both_say_that_they_end(cluster, form, uid):
    """close_notify is answered, and the session ends; a kick ends with close_notify, not with a cut."""
    comet = cluster.comets[0]
    client = tls.open_client(form, comet, cluster.context(), cluster.api.token(uid))
    wait_for(lambda: comet.metrics()["imc_comet_sessions"] >= 1, what="the session")
    client.sock.unwrap()
    client.close()
    wait_for(lambda: comet.metrics()["imc_comet_sessions"] == 0, what="the end of the session")
    context = cluster.context()
    with tls.open_client("tcp", comet, context) as stranger:
        stranger.sock.suppress_ragged_eofs = False
        stranger.send_auth("nobody")
        assert stranger.kicked(1)


@pytest.mark.parametrize("key,options", [(b"k", []), (b"K", []), (b"K", ["-maxfraglen", "512"])])
def test_keys_change_on_the_way(cluster, uid, key, options):
    """A client may turn to its next key, and ask for ours (RFC 8446, 4.6.3): openssl s_client's k and K.

    With -maxfraglen it ends the connection at a record of more than 512 bytes (RFC 6066, 4)."""
    token, address = cluster.api.token(uid), "{}:{}".format(*cluster.comets[0].tcps)
    with subprocess.Popen(["openssl", "s_client", "-connect", address, "-servername", "localhost", "-CAfile",
                           str(cluster.certs / "ca.pem"), "-verify_return_error", "-tls1_3", *options],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        seen = b""

        def until(text):
            nonlocal seen
            while text not in seen:
                got = client.stdout.read1(65536)
                assert got, seen
                seen += got

        def say(data):
            client.stdin.write(data)
            client.stdin.flush()

        try:
            until(b"Verify return code: 0")
            assert token.isprintable()
            say(imgo.frame(imgo.AUTH, token.encode()))
            wait_for(lambda: cluster.comets[0].metrics()["imc_comet_sessions"] >= 1, what="the session")
            for round_ in range(3):
                say(key + b"\n")
                cluster.api.push(uid, 2000 * "x" + f"after {round_}")
                until(f"after {round_}".encode())
        finally:
            client.kill()
