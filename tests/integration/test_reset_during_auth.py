"""A device that resets right after it has sent its auth loses nothing, and leaves nothing that swallows later pushes."""
import select

from cluster import wait_for
from imgo import body_of

USERS, WAITING, RESETS = 50, 5, 3


def waiting_written(cluster):
    return cluster.comets[0].metrics()['imc_comet_deliveries_total{kind="waiting"}']


def come_and_go(connect, comet, token, lag):
    """Resets LAG seconds after sending auth, or when an answer begins to come."""
    client = connect(comet)
    client.send_auth(token)
    if lag:
        select.select([client.sock], [], [], lag)
    client.reset()


def read_waiting(cluster, uid, client):
    # A message leaves the mailbox when the kernel has it: then whatever is for this client is here.
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmation")
    return client.drain(0.02)


def test_nothing_is_lost_or_swallowed(shared, connect, uids):
    users = uids(USERS)
    tokens = {uid: shared.api.token(uid) for uid in users}
    for i in range(WAITING):
        shared.api.pushs(users, i)
    for uid in users:
        wait_for(lambda: shared.mailbox(uid) == WAITING, what="the mailboxes to fill")
    complete = 0
    for number, uid in enumerate(users):
        before = waiting_written(shared)
        for i in range(RESETS):
            # Before the auth is read, while logic looks at it, when it is answered.
            come_and_go(connect, shared.comets[0], tokens[uid], (number + i) % 3 * 0.0003)
        client = connect(shared.comets[0], tokens[uid])
        got = read_waiting(shared, uid, client)
        # What the kernel took for a connection that was then reset counts as delivered; nothing else may be missing.
        taken = waiting_written(shared) - before
        assert taken == WAITING, (uid, taken)
        assert got == [body_of(client, str(i)) for i in range(WAITING)][WAITING - len(got):], (uid, got)
        complete += len(got) == WAITING
        shared.api.push(uid, '"later"')
        assert client.push() == body_of(client, '"later"')
        client.nothing(0.01)
    # On TCP the waiting ones leave sdk_gap after the auth's reply, so none can have left for a reset connection.
    assert complete >= (USERS if connect.transport == "tcp" else USERS // 3), complete


def test_no_session_stays_behind(shared, connect, uids):
    users = uids(50)
    room = f"ghosts-{users[0]}"
    for uid in users:
        come_and_go(connect, shared.comets[0], shared.api.token(uid, room=room), 0.0005)
    wait_for(lambda: room not in shared.api.counts("room"), what="the room to be empty")
    for uid in users:
        shared.api.push(uid, "1")
        wait_for(lambda: shared.mailbox(uid) == 1, what=f"{uid}'s message in the mailbox")
