"""Several devices of one user, by either transport: each gets every message while it is there."""
import imgo
from cluster import wait_for
from imgo import body_of


def test_every_device_gets_every_message_in_order(shared, connect, uid):
    token = shared.api.token(uid)
    devices = [connect(shared.comets[0], token) for _ in range(4)]
    for i in range(100):
        shared.api.push(uid, str(i))
    for device in devices:
        assert device.pushes(100) == [body_of(device, str(i)) for i in range(100)]
        device.nothing(0.05)


def test_devices_of_both_kinds(shared, connect, uid):
    token = shared.api.token(uid)
    mine = connect(shared.comets[0], token)
    with imgo.TcpClient(shared.comets[0].tcp).auth(token) as tcp, imgo.WsClient(shared.comets[0].ws).auth(token) as ws:
        shared.api.push(uid, '{"a":[1,"ä"]}')
        for device in (mine, tcp, ws):
            assert device.push() == body_of(device, '{"a":[1,"ä"]}')


def test_while_one_is_there_nothing_waits(shared, connect, uid):
    token = shared.api.token(uid)
    stays, leaves = connect(shared.comets[0], token), connect(shared.comets[0], token)
    leaves.close()
    shared.api.push(uid, "1")
    assert stays.push() == body_of(stays, "1")
    shared.settled()
    assert shared.mailbox(uid) == 0
    connect(shared.comets[0], token).nothing()


def test_what_waits_goes_to_the_first_that_comes(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.push(uid, "1")
    wait_for(lambda: shared.mailbox(uid) == 1, what="the message in the mailbox")
    first = connect(shared.comets[0], token)
    assert first.push() == body_of(first, "1")
    wait_for(lambda: shared.mailbox(uid) == 0, what="the confirmation")
    second = connect(shared.comets[0], token)
    second.nothing()
    shared.api.push(uid, "2")
    assert [first.push(), second.push()] == [body_of(first, "2")] * 2


def test_the_last_one_leaving_sends_messages_to_the_mailbox(shared, connect, uid):
    token = shared.api.token(uid)
    devices = [connect(shared.comets[0], token) for _ in range(3)]
    for i, device in enumerate(devices):
        shared.api.push(uid, str(i))
        for other in devices[i:]:
            assert other.push() == body_of(other, str(i))
        device.reset()
    shared.api.push(uid, "3")
    wait_for(lambda: shared.mailbox(uid) == 1, what="the message in the mailbox")
