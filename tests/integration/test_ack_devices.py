"""ack=each across connections: what a device leaves unacknowledged comes first at its own next connect, in order,
whoever connects before. mailbox.limit_acked limits it."""
import pytest

import acked
import cluster as module
from cluster import wait_for

LIMIT = 30


@pytest.fixture(scope="module")
def cluster(bus):
    made = module.Cluster(bus, comets=2, env={"IMC_LOGIC_MAILBOX_LIMIT": "20",
                                              "IMC_LOGIC_MAILBOX_LIMIT_ACKED": str(LIMIT)})
    yield made.wait_ready()
    made.stop()


@pytest.fixture
def device(cluster, uid):
    """device(KEY) is an acknowledged session on the user's device KEY; all end with the test."""
    made = []

    def connect(key, kind="goim-tcp", comet=0):
        made.append(acked.connect(cluster.comets[comet], kind, cluster.api.token(uid), key=key))
        return made[-1]
    yield connect
    for client in made:
        client.close()


def push(cluster, uid, *bodies, **query):
    for body in bodies:
        cluster.api.push(uid, str(body), **query)


def bodies(client, n):
    """The next N messages, in their order, all acknowledged."""
    messages = acked.messages(client, n)
    client.ack(messages[-1][0])
    return [int(body) for _, _, body in messages]


def leave(cluster, uid, client, waiting):
    acked.leave(cluster, uid, client)
    wait_for(lambda: cluster.mailbox(uid) == waiting, 10, lambda: f"{waiting} to wait: {cluster.mailbox(uid)}")


@pytest.mark.parametrize("kind", acked.KINDS)
def test_another_device_comes_before(cluster, uid, device, kind):
    one = device("one", kind)
    push(cluster, uid, 1, 2, 3)
    ids = [id for _, id, _ in acked.messages(one, 3)]
    one.ack(1)
    leave(cluster, uid, one, 2)
    two = device("two", kind)
    assert bodies(two, 2) == [2, 3]  # nobody had acknowledged them
    leave(cluster, uid, two, 2)
    device("two", kind).nothing()  # not again
    device("three", kind).nothing()
    again = device("one", kind, comet=1)
    push(cluster, uid, 4)
    messages = acked.messages(again, 3)
    assert [body for _, _, body in messages] == ["2", "3", "4"]
    assert [id for _, id, _ in messages[:2]] == ids[1:]
    again.ack(3)
    wait_for(lambda: cluster.mailbox(uid) == 1, 5, "what the first has acknowledged to leave")


def test_a_plain_session_comes_before(cluster, uid, device, connect):
    one = device("one")
    push(cluster, uid, 1, 2)
    acked.messages(one, 2)
    leave(cluster, uid, one, 2)
    plain = connect(cluster.comets[0], cluster.api.token(uid))
    assert [int(body) for body in plain.pushes(2)] == [1, 2]
    plain.close()
    wait_for(lambda: acked.sessions(cluster, uid) == 0, 5, "it to be gone")
    connect(cluster.comets[0], cluster.api.token(uid)).nothing()
    assert bodies(device("one"), 2) == [1, 2]


def test_it_went_while_another_was_there(cluster, uid, device):
    one, two = device("one"), device("two", "json")
    push(cluster, uid, *range(5))
    acked.messages(one, 5)
    assert bodies(two, 5) == list(range(5))
    acked.leave(cluster, uid, one, 1)
    push(cluster, uid, 5)  # the first is not there: it is owed nothing of this
    assert bodies(two, 1) == [5]
    acked.leave(cluster, uid, two)
    device("two", "json").nothing()
    assert bodies(device("one", comet=1), 5) == list(range(5))
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the mailbox to be empty")


def test_a_device_without_a_key_is_its_session(cluster, uid, device):
    """There is nothing to know it by. So whoever connects next takes its place, once."""
    nameless = acked.connect(cluster.comets[0], "goim-tcp", cluster.api.token(uid))
    push(cluster, uid, 1)
    acked.messages(nameless, 1)
    leave(cluster, uid, nameless, 1)
    assert bodies(device("one"), 1) == [1]
    wait_for(lambda: cluster.mailbox(uid) == 0, 20, "the mailbox to be empty")


def test_any_is_owed_to_no_device(cluster, uid, device):
    one = device("one")
    push(cluster, uid, 1, ack="any")
    acked.messages(one, 1)
    leave(cluster, uid, one, 1)
    assert bodies(device("two"), 1) == [1]
    wait_for(lambda: cluster.mailbox(uid) == 0, 5, "the first to end it")
    device("one").nothing()


@pytest.mark.parametrize("n", (LIMIT, LIMIT + 1))
def test_at_the_limit(cluster, uid, device, n):
    """The oldest of what the device has not acknowledged goes, and is counted; mailbox.limit is for the rest."""
    name = "imc_logic_trimmed_unacknowledged_total"
    before, one = cluster.sum("logic", name), device("one")
    push(cluster, uid, *range(n))
    acked.messages(one, n)
    leave(cluster, uid, one, LIMIT)
    assert cluster.sum("logic", name) == before + n - LIMIT
    trimmed = cluster.sum("logic", "imc_logic_trimmed_total")
    push(cluster, uid, *range(100, 125))  # nobody is there: owed to nobody
    wait_for(lambda: cluster.sum("logic", "imc_logic_trimmed_total") == trimmed + 5, 10, "5 of them to go")
    assert cluster.mailbox(uid) == LIMIT + 20
    assert bodies(device("one"), LIMIT + 20) == [*range(n - LIMIT, n), *range(105, 125)]
    wait_for(lambda: cluster.mailbox(uid) == 0, 10, "the mailbox to be empty")
