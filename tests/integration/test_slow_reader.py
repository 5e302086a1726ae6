"""A client that stops reading gets everything once it reads again, in order; nobody else notices."""
import threading

from cluster import wait_for
from imgo import body_of

PUSHES, PAD, LANES = 3000, 2048, 8


def order_of(bodies):
    """{lane: [number, ...]} of bodies "LANE:NUMBER:xxx"."""
    lanes = {}
    for body in bodies:
        lane, number, _ = (body if isinstance(body, str) else body.decode()).split(":")
        lanes.setdefault(int(lane), []).append(int(number))
    return lanes


def test_everything_arrives_when_it_reads_again(shared, connect, uids):
    slow, quick = uids(2)
    reader = connect(shared.comets[0], shared.api.token(slow), rcvbuf=4096)
    witness = connect(shared.comets[0], shared.api.token(quick))
    pushing = threading.Thread(target=shared.api.push_many, args=(slow, PUSHES, PAD, LANES))
    pushing.start()
    for i in range(50):
        shared.api.push(quick, str(i))
        assert witness.push(2) == body_of(witness, str(i))
    pushing.join()
    shared.settled()  # job has its answers: one slow phone holds up nobody
    assert shared.mailbox(slow) > 500
    assert order_of(reader.pushes(PUSHES, 30)) == {lane: list(range(lane, PUSHES, LANES)) for lane in range(LANES)}
    reader.nothing()
    wait_for(lambda: shared.mailbox(slow) == 0, what="the confirmations")
    shared.api.push(slow, '"now"')
    assert reader.push() == body_of(reader, '"now"')


def test_it_leaves_instead(shared, connect, uid):
    """What it did not take is in its mailbox, all of it."""
    token = shared.api.token(uid)
    reader = connect(shared.comets[0], token, rcvbuf=4096)
    shared.api.push_many(uid, 1000, 8192, 4)
    shared.settled()
    assert shared.mailbox(uid) > 500
    reader.reset()
    second = connect(shared.comets[0], token)
    got = order_of(second.drain(3))
    # A run at the end of each lane, without a gap: what is missing before, the first connection's kernel had.
    assert all(numbers == list(range(numbers[0], 1000, 4)) for numbers in got.values())
    wait_for(lambda: shared.mailbox(uid) == 0, what="the confirmations")
