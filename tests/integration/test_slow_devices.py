"""Several devices of one user that stop reading: what waits is kept for each of them until it has had it, none takes it
from another, and in the end nothing is left."""
import threading
import time

import pytest

from cluster import SLOW, wait_for
from test_slow_reader import order_of
from traffic import QUICK

PUSHES, PAD, LANES = 700, 8192, 4
EVERYTHING = {lane: list(range(lane, PUSHES, LANES)) for lane in range(LANES)}


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(comets=2, env=QUICK)


def owed(cluster, uid):
    """Messages in UID's mailbox that are kept for certain sessions."""
    return int(cluster.redis_cli("hlen", f"imc:mb:{uid}:owed"))


def nothing_is_left(cluster, uid):
    wait_for(lambda: cluster.mailbox(uid) == 0, 10,
             lambda: f"the mailbox to be empty: {cluster.mailbox(uid)} wait, {owed(cluster, uid)} of them are owed")
    assert owed(cluster, uid) == 0


def what_waits(cluster, uid):
    """How many messages wait, once all confirmations of what was read have come: the number stands still."""
    waiting, since = cluster.mailbox(uid), time.monotonic()

    def stands_still():
        nonlocal waiting, since
        now = cluster.mailbox(uid)
        if now != waiting:
            waiting, since = now, time.monotonic()
        return time.monotonic() - since > 0.5 * SLOW
    wait_for(stands_still, 15, "the mailbox to change no more")
    return waiting


def push_at(cluster, uid):
    """Pushes to UID, whose devices do not read; then all of it is in their sockets or in the mailbox."""
    cluster.api.push_many(uid, PUSHES, PAD, LANES)
    cluster.settled()
    assert cluster.mailbox(uid) > 200


def is_a_tail(got):
    """A run at the end of each lane, without a gap: what is missing before, a dead one's kernel had."""
    return all(numbers == list(range(numbers[0], PUSHES, LANES)) for numbers in got.values())


@pytest.mark.parametrize("where", [(0, 0), (0, 0, 1)], ids=["two on a comet", "three on two comets"])
def test_one_after_the_other_reads_again(cluster, connect, uid, where):
    token = cluster.api.token(uid)
    devices = [connect(cluster.comets[n], token, rcvbuf=4096) for n in where]
    push_at(cluster, uid)
    for device in devices:
        assert order_of(device.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
        device.nothing(0.2)
    nothing_is_left(cluster, uid)
    cluster.api.push(uid, '"now"')
    assert len({str(device.push()).strip("b'\"") for device in devices}) == 1
    nothing_is_left(cluster, uid)


def test_all_read_while_more_comes(cluster, connect, uid):
    token = cluster.api.token(uid)
    devices = [connect(cluster.comets[n], token, rcvbuf=4096) for n in (0, 1, 1)]
    got = [None] * len(devices)

    def read(number):
        got[number] = order_of(devices[number].pushes(PUSHES, 60 * SLOW))

    threads = [threading.Thread(target=read, args=(n,)) for n in range(len(devices))]
    pushing = threading.Thread(target=cluster.api.push_many, args=(uid, PUSHES, PAD, LANES))
    pushing.start()
    wait_for(lambda: cluster.mailbox(uid) > 50, what="the devices to be behind")
    for thread in threads:
        thread.start()
    for thread in (pushing, *threads):
        thread.join()
    assert got == [EVERYTHING] * len(devices)
    for device in devices:
        device.nothing(0.1)
    nothing_is_left(cluster, uid)


def test_one_that_comes_meanwhile_takes_nothing_away(cluster, connect, uid):
    """It gets what waits, like any device that connects; the slow one gets it all the same."""
    token = cluster.api.token(uid)
    slow = connect(cluster.comets[0], token, rcvbuf=4096)
    push_at(cluster, uid)
    waiting = cluster.mailbox(uid)
    other = connect(cluster.comets[1], token)
    share = order_of(other.pushes(waiting, 30 * SLOW))
    assert is_a_tail(share)
    other.nothing(0.2)
    assert cluster.mailbox(uid) == waiting
    assert order_of(slow.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
    slow.nothing(0.2)
    nothing_is_left(cluster, uid)


def assert_share_comes_once(cluster, connect, uid, token):
    """What a device that died was owed goes to the next that connects, and to no other."""
    waiting = what_waits(cluster, uid)
    assert waiting > 200
    heir = connect(cluster.comets[1], token)
    share = order_of(heir.pushes(waiting, 30 * SLOW))
    assert is_a_tail(share) and len(share) == LANES
    heir.nothing(0.2)
    nothing_is_left(cluster, uid)
    connect(cluster.comets[1], token).nothing()


def test_one_dies_before_the_other_reads(cluster, connect, uid):
    token = cluster.api.token(uid)
    dies, stays = (connect(cluster.comets[0], token, rcvbuf=4096) for _ in range(2))
    push_at(cluster, uid)
    dies.reset()
    wait_for(lambda: cluster.api.counts("server").get(1) == 1, what="its session to end")
    assert order_of(stays.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
    stays.nothing(0.2)
    assert_share_comes_once(cluster, connect, uid, token)
    stays.nothing(0.1)


def test_one_dies_after_the_other_has_read(cluster, connect, uid):
    token = cluster.api.token(uid)
    dies, stays = connect(cluster.comets[0], token, rcvbuf=4096), connect(cluster.comets[1], token, rcvbuf=4096)
    push_at(cluster, uid)
    assert order_of(stays.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
    dies.reset()
    wait_for(lambda: 1 not in cluster.api.counts("server"), what="its session to end")
    assert_share_comes_once(cluster, connect, uid, token)
    stays.nothing(0.1)


@pytest.mark.parametrize("when", ["at once", "later"])
def test_the_comet_of_one_dies(cluster, connect, uid, when):
    """Its user is back before or after the routers have noticed."""
    token = cluster.api.token(uid)
    connect(cluster.comets[0], token, rcvbuf=4096)
    stays = connect(cluster.comets[1], token, rcvbuf=4096)
    push_at(cluster, uid)
    cluster.comets[0].kill9()
    assert order_of(stays.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
    stays.nothing(0.2)
    if when == "later":
        wait_for(lambda: 1 not in cluster.api.counts("server"), what="the dead one's sessions to be forgotten")
    assert_share_comes_once(cluster, connect, uid, token)


def firsts(bodies):
    """A router's restart may repeat."""
    return order_of(dict.fromkeys(str(body).strip("b'") for body in bodies))


def test_what_was_settled_goes_to_all_who_are_there(cluster, connect, uid):
    """No router knows where the user is, so messages are settled; the quick device must not have them alone."""
    token = cluster.api.token(uid)
    quick, slow = connect(cluster.comets[0], token), connect(cluster.comets[1], token, rcvbuf=4096)
    pushing = threading.Thread(target=push_at, args=(cluster, uid))
    pushing.start()
    assert order_of(quick.pushes(PUSHES, 30 * SLOW)) == EVERYTHING
    pushing.join()
    cluster.routers[0].kill9()
    for number in range(PUSHES, PUSHES + 40):
        cluster.api.push(uid, f"{number % LANES}:{number}:")
    cluster.routers[0].start()
    late = {lane: list(range(PUSHES + lane, PUSHES + 40, LANES)) for lane in range(LANES)}
    assert firsts(quick.drain(4 * SLOW)) == late
    cluster.settled()
    assert cluster.mailbox(uid) >= 40
    assert firsts(slow.drain(5 * SLOW)) == {lane: EVERYTHING[lane] + late[lane] for lane in range(LANES)}
    nothing_is_left(cluster, uid)
