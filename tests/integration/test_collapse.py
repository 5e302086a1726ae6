"""collapse of /v1/push: a newer message with the same key replaces one that still waits, for whomever it waits."""
import pytest

import acked
from cluster import wait_for
from test_v1_push import post, push


@pytest.fixture
def cluster(shared):
    return shared


@pytest.fixture
def score(cluster, uid):
    def send(n, key="score", **more):
        return push(cluster, {"uids": [uid]}, n, collapse=key, **more)["messages"][0]["id"]
    return send


def test_the_newest_waits(cluster, connect, uid, score):
    replaced = cluster.sum("logic", "imc_logic_replaced_total")
    for n in range(30):  # more than mailbox.limit
        score(n)
    score(7, key="another")
    push(cluster, {"uids": [uid]}, 8)
    score(9)
    wait_for(lambda: cluster.sum("logic", "imc_logic_replaced_total") == replaced + 30, 10, "30 to be replaced")
    client = connect(cluster.comets[0], cluster.api.token(uid))
    assert [int(body) for body in client.pushes(3)] == [7, 8, 9]
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
    score(10)
    assert int(client.push()) == 10  # what is not there any more is replaced no more
    client.nothing()


def test_who_is_there_gets_each(cluster, connect, uid, score):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    for n in range(10):
        score(n)
        assert int(client.push()) == n
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")


@pytest.mark.parametrize("kind", acked.KINDS)
def test_what_was_sent_and_is_not_acknowledged(cluster, uid, score, kind):
    token = cluster.api.token(uid)
    client = acked.connect(cluster.comets[0], kind, token, key="one")
    score(1)
    score(2, key="another")
    assert [str(body) for _, _, body in acked.messages(client, 2)] == ["1", "2"]
    newest = score(3)
    assert str(client.acked_push()[2]) == "3"
    wait_for(lambda: cluster.mailbox(uid) == 2, 5, "the first to be replaced")
    client.reset()
    again = acked.connect(cluster.comets[0], kind, token, key="one")
    messages = acked.messages(again, 2)
    assert [str(body) for _, _, body in messages] == ["2", "3"] and str(messages[1][1]) == newest
    again.ack(2)
    again.nothing()
    again.close()
    wait_for(lambda: cluster.mailbox(uid) == 0, 10, "the mailbox to be empty")


def test_a_device_that_lacks_the_former_one_gets_the_newer_one(cluster, uid, score):
    """It is away when the newer one comes, and would be owed nothing of that otherwise."""
    token = cluster.api.token(uid)
    one = acked.connect(cluster.comets[0], "goim-tcp", token, key="one")
    two = acked.connect(cluster.comets[0], "goim-tcp", token, key="two")
    score(1)
    assert one.acked_push()[2] == two.acked_push()[2] == "1"
    two.ack(1)
    acked.leave(cluster, uid, one, 1)
    score(2)
    assert two.acked_push()[2] == "2"
    two.ack(2)
    again = acked.connect(cluster.comets[0], "goim-tcp", token, key="one")
    assert again.acked_push()[::2] == (1, "2")
    again.ack(1)
    again.nothing()
    wait_for(lambda: cluster.mailbox(uid) == 0, 10, "the mailbox to be empty")
    again.close()
    two.close()


def test_scheduled(cluster, connect, uid):
    for n in range(3):
        status, answer, _ = post(cluster, "/v1/push", {"to": {"uids": [uid]}, "body": n, "collapse": "later",
                                                       "deliver_at": 1})
        assert status == 202, answer
    wait_for(lambda: cluster.mailbox(uid) == 1, 5, "one to be left")
