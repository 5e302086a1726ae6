"""A device that resets right after it has sent its auth loses nothing, and leaves nothing that swallows later pushes."""
import select
import time

from cluster import wait_for
from imgo import body_of

USERS, WAITING, RESETS = 50, 5, 3
SDK_GAP = 0.05  # imgo.sdk_gap


def waiting_written(cluster):
    return cluster.comets[0].metrics()['imc_comet_deliveries_total{kind="waiting"}']


def come_and_go(connect, comet, token, lag=0):
    """Resets LAG seconds after sending auth, or when an answer begins to come. How long that took: we may have had to
    wait for a processor."""
    client = connect(comet)
    begin = time.monotonic()
    client.send_auth(token)
    if lag:
        select.select([client.sock], [], [], lag)
    client.reset()
    return time.monotonic() - begin


def read_waiting(cluster, uid, client):
    # A message leaves the mailbox when the kernel has it: then whatever is for this client is here.
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmation")
    return client.drain(0.02)


def users_with_messages(cluster, uids):
    """{uid: token} of users for each of whom as many messages wait."""
    tokens = {uid: cluster.api.token(uid) for uid in uids(USERS)}
    for i in range(WAITING):
        cluster.api.pushs(list(tokens), i)
    for uid in tokens:
        wait_for(lambda: cluster.mailbox(uid) == WAITING, what="the mailboxes to fill")
    return tokens


def test_reset_before_logic_has_answered(shared, connect, uids):
    for uid, token in users_with_messages(shared, uids).items():
        shared.logics[0].pause()
        for _ in range(RESETS):
            come_and_go(connect, shared.comets[0], token)
        shared.logics[0].resume()
        client = connect(shared.comets[0], token)
        assert read_waiting(shared, uid, client) == [body_of(client, str(i)) for i in range(WAITING)]
        shared.api.push(uid, '"later"')
        assert client.push() == body_of(client, '"later"')
        client.close()


def test_reset_at_any_time(shared, connect, uids):
    for number, (uid, token) in enumerate(users_with_messages(shared, uids).items()):
        before = waiting_written(shared)
        stays = [come_and_go(connect, shared.comets[0], token, (number + i) % 3 * 0.0003) for i in range(RESETS)]
        client = connect(shared.comets[0], token)
        got = read_waiting(shared, uid, client)
        # What the kernel took for a connection that was then reset counts as delivered; nothing else may be missing.
        # On TCP that is nothing for who had gone by then: the waiting ones leave sdk_gap after the auth's reply.
        assert waiting_written(shared) - before >= WAITING
        assert got == [body_of(client, str(i)) for i in range(WAITING)][WAITING - len(got):], (uid, got)
        assert len(got) == WAITING or connect.transport == "ws" or max(stays) >= SDK_GAP, stays
        shared.api.push(uid, '"later"')
        assert client.push() == body_of(client, '"later"')
        client.close()


def test_no_session_stays_behind(shared, connect, uids):
    users = uids(50)
    room = f"ghosts-{users[0]}"
    for uid in users:
        come_and_go(connect, shared.comets[0], shared.api.token(uid, room=room), 0.0005)
    wait_for(lambda: room not in shared.api.counts("room"), what="the room to be empty")
    for uid in users:
        shared.api.push(uid, "1")
        wait_for(lambda: shared.mailbox(uid) == 1, what=f"{uid}'s message in the mailbox")
