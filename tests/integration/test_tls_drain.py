"""SIGTERM over TLS: everybody is told to go elsewhere, hears the end of TLS, and loses nothing."""
import tls
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
