"""A push right after a device has gone is not lost: it waits, and comes at the next connect."""
import pytest

from cluster import wait_for
from imgo import body_of


def confirmed(cluster, uid):
    """What came by the mailbox has left it: a device that is gone before that gets it again."""
    wait_for(lambda: cluster.mailbox(uid) == 0, what="the confirmation", every=0.001)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_pushed_right_after_the_end(shared, connect, uid, end):
    token = shared.api.token(uid)
    client = connect(shared.comets[0], token)
    for i in range(50):
        shared.api.push(uid, f"{i}")
        assert client.push() == body_of(client, f"{i}")
        getattr(client, end)()
        shared.api.push(uid, f"after {i}")
        client = connect(shared.comets[0], token)
        assert client.push() == body_of(client, f"after {i}"), i
        confirmed(shared, uid)
    client.nothing()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_back_before_the_push_is_answered(shared, connect, uid, end):
    """The device is gone and back while the message is under way: the old hint leads nowhere, yet it comes once."""
    token = shared.api.token(uid)
    client = connect(shared.comets[0], token)
    for i in range(25):
        getattr(client, end)()
        client = connect(shared.comets[0])
        client.send_auth(token)
        shared.api.push(uid, f"{i}")
        assert client.recv().op == 8
        assert client.push() == body_of(client, f"{i}")
        confirmed(shared, uid)
    client.nothing()
