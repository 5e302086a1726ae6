"""/1/server/del forgets every session of a comet: its users count as away, and lose nothing by it."""
from cluster import wait_for
from imgo import body_of


def test_sessions_are_forgotten_and_messages_wait(own_cluster, connect, uids):
    cluster = own_cluster(comets=2)
    here, there = uids(2)
    token = cluster.api.token(here, room=f"r{here}")
    client = connect(cluster.comets[0], token)
    other = connect(cluster.comets[1], cluster.api.token(there))
    wait_for(lambda: cluster.api.counts("server") == {1: 1, 2: 1}, what="the counts")
    cluster.api.ok("POST", "/1/server/del", server=1)
    assert 1 not in {name for name, n in cluster.api.counts("server").items() if n}
    assert f"r{here}" not in cluster.api.counts("room")
    cluster.api.pushs([here, there], 1)
    assert other.push() == body_of(other, "1")
    wait_for(lambda: cluster.mailbox(here) == 1, what="the message in the mailbox")
    # The comet is as good as before for whoever connects to it now.
    client.close()
    client = connect(cluster.comets[0], token)
    assert client.push() == body_of(client, "1")
    cluster.api.push(here, "2")
    assert client.push() == body_of(client, "2")
    assert cluster.api.counts("server")[1] == 1
    client.close()
    other.close()
    wait_for(lambda: not any(cluster.api.counts("server").values()), what="the sessions to end")


def test_an_unknown_server(shared):
    assert "server" in shared.api.refused(1001, "POST", "/1/server/del", server="nobody")


def test_bad_parameters_are_named(shared):
    for query in ({}, {"server": ""}, {"server": ["1", "2"]}, {"server": "x" * 64}):
        assert shared.api.refused(65534, "POST", "/1/server/del", **query).startswith("server: ")
