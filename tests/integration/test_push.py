"""A push to a user reaches every session of the user, in order."""
from imgo import body_of


def test_push_reaches_the_session(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    shared.api.push(uid, '{"hello":"world"}')
    got = client.recv()
    assert (got.ver, got.op, got.seq) == (0, 5, 0)
    assert got.body == body_of(client, '{"hello":"world"}')


def test_body_that_is_not_json_arrives_as_it_is(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    shared.api.push(uid, 'not "json"')
    assert client.push() == body_of(client, 'not "json"')


def test_several_devices_all_get_it(shared, connect, uid):
    token = shared.api.token(uid)
    devices = [connect(shared.comets[0], token) for _ in range(3)]
    shared.api.push(uid, "1")
    assert [d.push() for d in devices] == [body_of(devices[0], "1")] * 3


def test_thousand_pushes_arrive_once_and_in_order(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    for i in range(1000):
        shared.api.push(uid, str(i))
    assert client.pushes(1000, 20) == [body_of(client, str(i)) for i in range(1000)]
    client.nothing()
