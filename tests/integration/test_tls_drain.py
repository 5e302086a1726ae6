"""SIGTERM over TLS: everybody is told to go elsewhere, hears the end of TLS, and loses nothing."""
import pytest

import tls
from cluster import wait_for
from test_client import ImcClient
from test_drain_nodes import both_known, post
from traffic import QUICK, Traffic


def test_a_comet_drains(bus, uids):
    with tls.running(bus, comets=2, env=QUICK) as cluster:
        users, context = uids(12), cluster.context()
        tokens = {uid: cluster.api.token(uid) for uid in users}
        forms = ["tcp", "ws"]
        clients = {uid: tls.open_client(forms[i % 2], cluster.comets[0], context, tokens[uid])
                   for i, uid in enumerate(users)}
        half = tls.open_client("tcp", cluster.comets[0], context)
        with Traffic([cluster.api], users) as traffic:
            traffic.go_on(60)
            cluster.comets[0].ask_to_end()
            got = {}
            for uid, client in clients.items():
                client.sock.suppress_ragged_eofs = False  # the end without close_notify would be an error
                got[uid] = [int(body) for body in client.drain()]
                assert client.reason and client.reason["code"] == 9
            half.kicked(9)
            moved = {uid: tls.open_client("tcp", cluster.comets[1], context, tokens[uid]) for uid in users}
            traffic.go_on(40)
        assert cluster.comets[0].term() == 0
        assert not traffic.errors
        for uid, client in moved.items():
            traffic.received(uid, client, got[uid])


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_who_came_by_tls_is_told_of_tls_ports(bus, uid, transport):
    """Also a plain client is, since a proxy before it may end TLS. imc-client goes there."""
    with tls.running(bus, comets=2, env=QUICK) as cluster:
        both_known(cluster)
        a, b = cluster.comets
        token, name = cluster.api.token(uid), {"tcp": "tcps", "ws": "wss"}[transport]
        there = "{}:{}".format(*getattr(b, name))
        here = "{}:{}".format(*getattr(a, name))
        client = ImcClient(transport, here, token, "--cacert", str(cluster.certs / "ca.pem"), "--reconnect",
                           "--count", "1").authenticated()
        secure = tls.open_client(transport, a, cluster.context(), token)
        plain = tls.FORMS[transport](getattr(a, transport)).auth(token)
        assert post(a, "/drain")[0] == 200
        secure.kicked(9)
        assert secure.reason[name] == [there] and "nodes" not in secure.reason
        plain.kicked(9)
        assert plain.reason[name] == [there]
        assert plain.reason["nodes"] == ["{}:{}".format(*getattr(b, transport))]
        wait_for(lambda: client.words.count(b"authenticated") == 2, 10, lambda: f"it to be in again: {client.words}")
        assert f"it names {there}\nimc-client: connecting to {there}\n".encode() in client.words
        cluster.api.push(uid, "1")
        assert client.line() == "op=5 seq=0 body=1" and client.end()[0] == 0
        names = cluster.api.goim("GET", "/goim/nodes/weighted", tls=1, platform={"tcp": "app", "ws": "web"}[transport])
        assert names["nodes"] == ["127.0.0.1"]
