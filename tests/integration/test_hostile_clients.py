"""Clients that vanish, by the hundred and at any moment; that want more than there is; that talk and do not listen."""
import threading
import time

import pytest

import imgo
from hostile import CONN_MAX, SLOW, Raw, hostile, hostile_cluster, wait_for, world, ws_message, ws_request  # noqa: F401 (fixtures)
from imgo import frame, ws_frame


@pytest.fixture(params=["tcp", "ws"])
def kind(request):
    return request.param


def address(world, kind):
    return getattr(world.comet, kind)


def auth(kind, token):
    return frame(7, token.encode()) if kind == "tcp" else ws_request() + ws_message(7, token)


def connected(world):
    return world.comet.metrics()["imc_comet_connections"]


def back_to(world, before):
    wait_for(lambda: connected(world) == before, 10, lambda: f"{before} connections again: {connected(world)}")


def reconnect(world, kind, token):
    return (imgo.TcpClient if kind == "tcp" else imgo.WsClient)(address(world, kind)).auth(token, timeout=10 * SLOW)


STAGES = {
    "accepted": lambda kind, token: b"",
    "one byte": lambda kind, token: auth(kind, token)[:1],
    "half an auth": lambda kind, token: auth(kind, token)[:-10],
    "auth": auth,
    "auth and half a frame": lambda kind, token: auth(kind, token) + auth(kind, token)[:7],
    "auth and many frames": lambda kind, token: auth(kind, token) + (frame(4) if kind == "tcp" else ws_message(4)) * 1000,
}


TAKEN = 'imc_comet_deliveries_total{kind="waiting"}'


@pytest.mark.parametrize("stage", STAGES)
def test_reset_at_every_stage(world, kind, stage):
    """What waits for the user is neither lost by it nor delivered twice; unless the kernel had taken it before the reset."""
    uid, token = world.token()
    world.push(uid, "waits")
    wait_for(lambda: world.cluster.mailbox(uid) == 1, 10, "the message to wait")
    before, taken = connected(world), world.comet.metrics()[TAKEN]
    for _ in range(20):
        Raw(address(world, kind), STAGES[stage](kind, token)).reset()
    back_to(world, before)
    taken = world.comet.metrics()[TAKEN] - taken
    with reconnect(world, kind, token) as client:
        assert taken or client.push() == imgo.body_of(client, "waits")
        client.nothing(0.1)
    back_to(world, before)
    wait_for(lambda: world.cluster.mailbox(uid) == 0, 5, "an empty mailbox")


def test_reset_of_open_sessions(world, kind):
    before = connected(world)
    sessions = [world.session(kind) for _ in range(20)]
    for i, (client, uid) in enumerate(sessions):
        if i % 2:
            client.send(4, b"x", i)
        client.reset()
    back_to(world, before)
    for client, uid in sessions:
        world.push(uid, "later")
    world.cluster.settled()
    assert [world.cluster.mailbox(uid) for _, uid in sessions] == [1] * 20


class Order:
    """What one device after the other got: in order on each, and nothing new that is older than what there was before.
    What a device that vanished was owed comes again to the next one (docs/delivery.md, "The mailbox")."""

    def __init__(self):
        self.seen, self.last = {-1}, -1

    def connect(self):
        self.last = -1

    def take(self, number):
        assert number > self.last, f"{number} after {self.last} on one connection"
        assert number in self.seen or number > max(self.seen), f"{number} is new, after {max(self.seen)}"
        self.seen.add(number)
        self.last = number


@pytest.mark.parametrize("end", ["reset", "close"])
def test_vanishing_while_being_pushed(world, kind, end):
    """Again and again; what comes is in order, and what is pushed in the end arrives."""
    uid, token = world.token()
    before, stop, pushed = connected(world), threading.Event(), []

    def pusher():
        while not stop.is_set():
            world.push(uid, str(len(pushed)))
            pushed.append(len(pushed))
    thread = threading.Thread(target=pusher)
    thread.start()
    order = Order()
    try:
        for _ in range(8):
            client = reconnect(world, kind, token)
            order.connect()
            for _ in range(5):
                order.take(int(client.push()))
            getattr(client, end)()
    finally:
        stop.set()
        thread.join()
    back_to(world, before)
    world.push(uid, "end")
    with reconnect(world, kind, token) as client:
        order.connect()
        while (text := client.push()) != imgo.body_of(client, "end"):
            order.take(int(text))
    back_to(world, before)


def test_five_hundred_that_vanish(world):
    """All at once, in all stages; sessions of those who stay come and go meanwhile."""
    before = connected(world)
    tokens = [world.token()[1] for _ in range(20)]
    crowd = []
    for i in range(500):
        kind, stage = ("tcp", "ws")[i % 2], list(STAGES.values())[i // 2 % len(STAGES)]
        crowd.append(Raw(address(world, kind), stage(kind, tokens[i % 20])))
    client, uid = world.session("tcp")
    for i, raw in enumerate(crowd):
        raw.reset() if i % 3 else raw.close()
    world.push(uid, "here")
    assert client.push() == b"here"
    client.close()
    back_to(world, before)


def refused(at, data):
    """Nothing comes from there but the end; a reset may meet what is being sent."""
    try:
        with Raw(at, data) as raw:
            return raw.all() == b""
    except ConnectionError:
        return True


def test_more_than_conn_max(world, kind):
    """Those beyond are closed at once; who is in stays; who comes later gets in."""
    before = int(connected(world))
    _, token = world.token()
    crowd = [Raw(address(world, kind)) for _ in range(CONN_MAX - before)]
    try:
        wait_for(lambda: connected(world) == CONN_MAX, 10, lambda: f"{CONN_MAX} connections: {connected(world)}")
        time.sleep(1.1)  # lines of one kind are limited to ten a second
        with world.rises(world.comet, 'imc_comet_refused_total{reason="full"}', 20), world.says(world.comet, "conn.max"):
            for i in range(20):
                assert refused(address(world, kind), auth(kind, token) if i % 2 else b"")
        assert connected(world) == CONN_MAX
    finally:
        for raw in crowd:
            raw.reset()
    back_to(world, before)
    with reconnect(world, kind, token):
        pass
    back_to(world, before)


# --- who does not listen ---

FLOODS = {
    "tcp": {"heartbeats": frame(2) * 1000, "sends": frame(4, b"x") * 1000, "tests": frame(254) * 1000},
    "ws": {"heartbeats": ws_message(2) * 500, "sends": ws_message(4, "x") * 500, "tests": ws_message(254) * 500, "pings": ws_frame(9, b"x" * 125) * 500},
}


def kicked_as_too_slow(world):
    return world.comet.metrics()['imc_comet_kicked_total{reason="too_slow"}']


@pytest.mark.parametrize("kind, flood", [(kind, flood) for kind, floods in FLOODS.items() for flood in floods])
def test_a_flood_of_requests_by_one_who_does_not_read(world, kind, flood):
    """Its answers fill what may wait for it, then it is told that it is too slow."""
    token = world.token()[1]
    before = kicked_as_too_slow(world)
    with Raw(address(world, kind), auth(kind, token), rcvbuf=4096) as raw:
        raw.sock.settimeout(0.2)
        data = rest = FLOODS[kind][flood]
        end = time.monotonic() + 20 * SLOW
        # That comet takes nothing for a while is no sign: it may have had no time for it.
        while kicked_as_too_slow(world) == before:
            assert time.monotonic() < end, "it could go on for ever"
            try:
                rest = rest[raw.sock.send(rest):] or data
            except TimeoutError:
                continue
            except ConnectionError:
                break
    wait_for(lambda: kicked_as_too_slow(world) == before + 1, 5, "it to be told so")
    assert world.comet.metrics()["imc_comet_queued_bytes"] < 1 << 20


def test_a_room_member_who_does_not_read(world, kind):
    """Is told and dropped; the others in the room get everything."""
    uid, token = world.token(room="loud")
    good, _ = world.session(kind, room="loud")
    body = '"' + "x" * 60_000 + '"'
    with good, Raw(address(world, kind), auth(kind, token), rcvbuf=4096) as deaf:
        deaf.until(lambda data: (len(data) >= 16 if kind == "tcp" else b'"op":8' in data))
        api = world.api()
        with world.rises(world.comet, 'imc_comet_kicked_total{reason="too_slow"}'):
            for i in range(120):
                api.push_room("loud", body)
                assert len(good.push()) >= 60_000
                if i % 20 == 0:
                    good.send(2)


def test_a_user_who_does_not_read_for_a_while(world, kind):
    """Everything comes in the end, once and in order: from the socket's buffers, then from the mailbox."""
    uid, token = world.token()
    client = (imgo.TcpClient if kind == "tcp" else imgo.WsClient)(address(world, kind), rcvbuf=4096).auth(token, timeout=10 * SLOW)
    many, pad = 120, "x" * 60_000
    with client, world.rises(world.comet, "imc_comet_spilled_total"):
        api = world.api()
        for i in range(many):
            api.push(uid, f"{i}:{pad}")
            if i % 20 == 0:
                client.send(2)
        world.cluster.settled(20)
        client.send(2)
        got = []
        while len(got) < many:
            body = client.push(15)
            got.append(int((body.decode() if isinstance(body, bytes) else body).split(":")[0]))
        assert got == list(range(many)), got
