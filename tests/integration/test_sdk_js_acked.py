"""Acknowledged sessions of sdk/js on a real cluster: each message comes to the application once, whatever ends."""
import pytest

import sdk
from cluster import wait_for
from traffic import QUICK


@pytest.fixture(scope="module")
def node():
    made = sdk.Node()
    yield made
    made.stop()


@pytest.fixture(params=["binary", "json"])
def client(request, node, cluster, uid):
    """One with a session; .uid is its user."""
    one = node.client(url="ws://{}:{}/sub".format(*cluster.comets[0].ws), token=cluster.api.token(uid), ack=True,
                      form=request.param).opened()
    one.uid = uid
    assert one.get("open")["acknowledged"]
    yield one
    one.call("close")


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(env=QUICK)


def nothing_waits(cluster, uid):
    cluster.settled()
    wait_for(lambda: cluster.mailbox(uid) == 0, 20, "the mailbox to be empty")


def test_numbers_ids_and_an_empty_mailbox(cluster, client):
    for i in range(200):
        cluster.api.push(client.uid, f"m{i}")
    got = [client.get("message") for _ in range(200)]
    assert [one["text"] for one in got] == [f"m{i}" for i in range(200)]
    assert [one["seq"] for one in got] == list(range(1, 201))
    ids = [int(one["id"]) for one in got]
    assert ids == sorted(set(ids)) and ids[0] > 2**53
    nothing_waits(cluster, client.uid)
    cluster.api.push_all("to all")
    last = client.get("message")
    assert (last["text"], last["seq"], "id" in last) == ("to all", 0, False)


def test_what_a_handler_failed_on_comes_again(cluster, client):
    client.call("fail", 1)
    cluster.api.push(client.uid, "once more")
    assert client.get("error")["name"] == "HandlerError"
    assert client.get("close")["willRetry"]
    client.opened()
    cluster.api.push(client.uid, "and the next")
    assert client.texts(2) == ["once more", "and the next"]
    nothing_waits(cluster, client.uid)


def test_a_handler_that_always_fails_stops_nobody(cluster, client):
    client.call("fail", 3)
    cluster.api.push(client.uid, "poison")
    for _ in range(3):
        assert client.get("error")["name"] == "HandlerError"
    cluster.api.push(client.uid, "health")
    assert client.text() == "health"
    nothing_waits(cluster, client.uid)


def test_comets_that_are_killed(cluster, client):
    """Whatever was under way comes with the next session, and what had been handled does not come again."""
    sent = 0
    for _ in range(3):
        for _ in range(50):
            cluster.api.push(client.uid, f"m{sent}")
            sent += 1
        cluster.comets[0].kill9()
        for _ in range(10):
            cluster.api.push(client.uid, f"m{sent}")
            sent += 1
        client.get("close")
        cluster.heal()
        client.opened()
    assert client.texts(sent) == [f"m{i}" for i in range(sent)]
    nothing_waits(cluster, client.uid)
    assert client.nothing("message")
