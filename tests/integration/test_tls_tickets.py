"""Sessions of TLS are resumed: at the same comet, at another one with the same keys, and after a restart."""
import os
import signal

import pytest

import imgo
import tls
from cluster import wait_for


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    path = tmp_path_factory.mktemp("tickets") / "keys"
    path.write_text(os.urandom(80).hex() + "\n")
    return path


@pytest.fixture(scope="module")
def cluster(bus, keys):
    with tls.running(bus, comets=2, env={"IMC_COMET_TLS_TICKET_KEYS": str(keys)}) as made:
        yield made


def visit(cluster, comet, context, session=None):
    """(resumed, the session that can be resumed next)"""
    client = imgo.TcpClient(comet.tcps, tls=context, session=session)
    client.send_auth("nobody")  # with TLS 1.3 the ticket comes with the first bytes
    client.kicked(1)
    reused, session = client.sock.session_reused, client.sock.session
    client.close()
    return reused, session


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_at_any_comet_with_the_key(cluster, version):
    context = cluster.context(version)
    first, second = cluster.comets
    before = tls.handshakes(second, "tcps", "resumed")
    reused, session = visit(cluster, first, context)
    assert not reused and session
    reused, session = visit(cluster, first, context, session)
    assert reused
    reused, session = visit(cluster, second, context, session)
    assert reused
    assert tls.handshakes(second, "tcps", "resumed") == before + 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_after_a_restart(cluster, version):
    comet, context = cluster.comets[0], cluster.context(version)
    _, session = visit(cluster, comet, context)
    assert comet.term() == 0
    comet.start()
    wait_for(comet.ready, 20, "the comet to be back")
    reused, _ = visit(cluster, comet, context, session)
    assert reused


def test_sighup_turns_the_keys(cluster, keys):
    """The old key still decrypts while it is in the file; then the handshake is full again."""
    comet, context = cluster.comets[0], cluster.context("1.3")
    name = 'imc_reloads_total{what="tls",result="ok"}'

    def turn(lines):
        before = comet.metrics()[name]
        keys.write_text("".join(lines))
        os.kill(comet.popen.pid, signal.SIGHUP)
        wait_for(lambda: comet.metrics()[name] == before + 1, what="the reload")

    old, new = keys.read_text(), os.urandom(80).hex() + "\n"
    _, session = visit(cluster, comet, context)
    turn([new, old])
    reused, _ = visit(cluster, comet, context, session)
    assert reused
    turn([new])
    reused, _ = visit(cluster, comet, context, session)
    assert not reused
    turn([old])
