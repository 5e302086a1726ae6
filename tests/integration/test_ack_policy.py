"""ack=each and ack=any of a push: which device ends a message for the user's devices."""
import pytest

import acked
from cluster import wait_for
from test_v1_push import push


@pytest.fixture
def cluster(shared):
    return shared


@pytest.fixture
def devices(cluster, uid):
    """Two acknowledged sessions of one user, by different wire forms."""
    token = cluster.api.token(uid)
    one = acked.connect(cluster.comets[0], "goim-tcp", token, key="one")
    two = acked.connect(cluster.comets[0], "json", token, key="two")
    yield one, two
    one.close()
    two.close()


def online(cluster):
    return sum(cluster.api.counts("server").values())


@pytest.mark.parametrize("query", ({}, {"ack": "each"}), ids=("default", "each"))
def test_each_device_for_itself(cluster, uid, devices, query):
    one, two = devices
    cluster.api.push(uid, "1", **query)
    id = one.acked_push()[1]
    assert two.acked_push()[1] == id
    one.ack(1)
    two.reset()
    again = acked.connect(cluster.comets[0], "json", cluster.api.token(uid), key="two")
    assert again.acked_push()[1:] == (id, "1")
    again.ack(1)
    wait_for(lambda: cluster.mailbox(uid) == 0, 20, "the mailbox to be empty")
    one.nothing()


def test_any_device_for_all(cluster, uid, devices):
    one, two = devices
    cluster.api.push(uid, "1", ack="any")
    assert one.acked_push()[1] == two.acked_push()[1]
    assert cluster.mailbox(uid) == 1
    two.ack(1)
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the first acknowledgement to end it")
    one.reset()
    again = acked.connect(cluster.comets[0], "goim-tcp", cluster.api.token(uid), key="one")
    again.nothing()
    cluster.api.push(uid, "2", ack="any")
    assert again.acked_push()[2] == two.acked_push()[2] == "2"
    again.ack(1)
    two.ack(2)
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")
    again.close()


def test_v1_has_both(cluster, uid, devices):
    one, two = devices
    push(cluster, {"uids": [uid]}, 1, ack="any")
    push(cluster, {"uids": [uid]}, 2, ack="each")
    assert [body for _, _, body in acked.messages(one, 2)] == ["1", "2"]
    one.ack(2)
    wait_for(lambda: cluster.mailbox(uid) == 1, 5, "one of them to end for both")


def test_any_that_nobody_acknowledged_comes_again(cluster, uid, devices):
    one, two = devices
    cluster.api.push(uid, "1", ack="any")
    ids = {device.acked_push()[1] for device in devices}
    one.reset(), two.reset()
    again = acked.connect(cluster.comets[0], "goim-ws", cluster.api.token(uid), key="three")
    assert {again.acked_push()[1]} == ids
    again.ack(1)
    wait_for(lambda: cluster.mailbox(uid) == 0, 20, "the mailbox to be empty")
    again.close()


def test_any_with_one_device(cluster, uid):
    with acked.connect(cluster.comets[0], "goim-tcp", cluster.api.token(uid), key="one") as one:
        cluster.api.push(uid, "1", ack="any")
        assert one.acked_push()[::2] == (1, "1")
        one.ack(1)
        one.nothing()
    assert cluster.mailbox(uid) == 0


def test_order_of_both(cluster, uid, devices):
    for n in range(40):
        cluster.api.push(uid, str(n), **({"ack": "any"} if n % 3 == 0 else {}))
    for device in devices:
        bodies = []
        while "38" not in bodies:  # each; those of any may be ended by the other device
            seq, _, body = device.acked_push()
            bodies.append(body)
            device.ack(seq)
        assert bodies == sorted(bodies, key=int)
        assert set(str(n) for n in range(39) if n % 3) <= set(bodies)


def test_another_word_is_refused(cluster, uid):
    assert cluster.api.call("POST", "/1/push", "x", uid=uid, ack="all")[1]["ret"] != 1
    assert cluster.api.call("POST", "/goim/push/mids", "x", operation=5, mids=uid, ack="")[1]["code"] != 0
