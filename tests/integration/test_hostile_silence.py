"""Silence, half of something, and a byte now and then, on every port at once: each is told in its protocol's words and closed when
its time is up, not earlier and not much later."""
import json

import imgo
from hostile import HANDSHAKE_S, HEARTBEAT_S, HTTP_S, SLOW, Crowd, Raw, hostile, hostile_cluster, http_responses, kicked, tcp_frames, world, ws_frames, \
    ws_kicked, ws_message, ws_request  # noqa: F401 (fixtures)
from imgo import body_of, frame, ws_frame
from test_bad_rpc import LATE

GRACE_S = 1.6 * SLOW  # wheels tick, machines are busy, and what lingers does so for a second
ADMIN_S = 10
KEEPALIVE_S = 8


def upgraded(world, data=b""):
    raw = Raw(world.comet.ws, ws_request())
    raw.until(lambda got: b"\r\n\r\n" in got)
    raw.data = b""
    return raw.send(data)


def session(world, kind, data=b""):
    client, _ = world.session(kind)
    return Raw.of(client).send(data)


def on_comet(world, crowd):
    """{name: (seconds, check)}"""
    half, token = frame(7, b"x" * 100), "x" * 50
    expect = {}

    def add(seconds, check, name, where, *args, **kwargs):
        crowd.add(name, where, *args, **kwargs)
        expect[name] = (seconds, check)

    def tcp(code, words):
        return lambda raw: kicked(raw.data)["code"] == code and words in kicked(raw.data)["reason"]

    def http408(raw):
        answers = http_responses(raw.data)
        return [a.status for a in answers] == [408] and b"too long" in answers[0].body

    def ws(code):
        return lambda raw: ws_kicked(raw.data)[0]["code"] == code and ws_kicked(raw.data)[1] == 4000 + code

    late, missed = tcp(2, "auth"), tcp(11, "heartbeat")
    add(HANDSHAKE_S, late, "tcp silence", world.comet.tcp)
    add(HANDSHAKE_S, late, "tcp half a header", world.comet.tcp, half[:8])
    add(HANDSHAKE_S, late, "tcp a header without its body", world.comet.tcp, half[:16])
    add(HANDSHAKE_S, late, "tcp an auth but its last byte", world.comet.tcp, half[:-1])
    add(HANDSHAKE_S, late, "tcp a byte now and then", world.comet.tcp, drip=half, every=0.5)
    add(HANDSHAKE_S, late, "tcp a byte every moment", world.comet.tcp, drip=half, every=0.05 * SLOW)
    add(HANDSHAKE_S, http408, "ws silence", world.comet.ws)
    add(HANDSHAKE_S, http408, "ws half a handshake", world.comet.ws, ws_request()[:50])
    add(HANDSHAKE_S, http408, "ws a handshake but its last byte", world.comet.ws, ws_request()[:-1])
    add(HANDSHAKE_S, http408, "ws a byte now and then", world.comet.ws, drip=ws_request(), every=0.1)
    add(HANDSHAKE_S, ws(2), "ws nothing behind the handshake", upgraded(world))
    add(HANDSHAKE_S, ws(2), "ws half an auth", upgraded(world, ws_message(7, token)[:20]))
    add(HANDSHAKE_S, ws(2), "ws half of a fragmented auth", upgraded(world, ws_frame(1, b'{"op":7,', fin=False)))
    add(HANDSHAKE_S, ws(2), "ws pings but no auth", upgraded(world, ws_frame(9) * 4))
    add(HANDSHAKE_S, ws(2), "ws fragments without an end", upgraded(world, ws_frame(1, b"{", fin=False)),
        drip=ws_frame(0, b" ", fin=False) * 20, every=0.1)
    add(HEARTBEAT_S, missed, "tcp session silence", session(world, "tcp"))
    add(HEARTBEAT_S, missed, "tcp session half a header", session(world, "tcp", half[:3]))
    add(HEARTBEAT_S, missed, "tcp session half a frame", session(world, "tcp", half[:-1]))
    add(HEARTBEAT_S, missed, "tcp session a byte now and then", session(world, "tcp"), drip=frame(2, b"x" * 200), every=0.5)
    add(HEARTBEAT_S, ws(11), "ws session silence", session(world, "ws"))
    add(HEARTBEAT_S, ws(11), "ws session half a frame", session(world, "ws", ws_message(2)[:9]))
    add(HEARTBEAT_S, ws(11), "ws session half of a fragmented message", session(world, "ws", ws_frame(1, b'{"op":2', fin=False)))
    add(HEARTBEAT_S, ws(11), "ws session a byte now and then", session(world, "ws"), drip=ws_frame(1, b" " * 200), every=0.5)
    return expect


def on_http(world, crowd):
    request = b"POST /1/push?uid=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    head = request.index(b"\r\n\r\n") + 4
    expect = {}

    def imgo_error(raw, words):
        answers = http_responses(raw.data)
        return [a.status for a in answers] == [408] and words in json.loads(answers[0].body)["error"]

    def add(name, port, seconds, check, **what):
        crowd.add(name, port, **what)
        expect[name] = (seconds, check)

    def plain(raw):
        return [a.status for a in http_responses(raw.data)] == [408]

    api = world.logic.http
    add("api silence", api, HTTP_S, lambda raw: imgo_error(raw, "no request"))
    add("api half a request line", api, HTTP_S, lambda raw: imgo_error(raw, "headers"), data=request[:10])
    add("api a header but its last byte", api, HTTP_S, lambda raw: imgo_error(raw, "headers"), data=request[:head - 1])
    add("api a header's byte now and then", api, HTTP_S, lambda raw: imgo_error(raw, "headers"), drip=request, every=0.5)
    add("api no body", api, HTTP_S, lambda raw: imgo_error(raw, "body"), data=request[:head])
    add("api a body but its last byte", api, HTTP_S, lambda raw: imgo_error(raw, "body"), data=request[:-1])
    add("api a body's byte now and then", api, HTTP_S, lambda raw: imgo_error(raw, "body"), data=request[:head], drip=request[head:], every=0.2)
    add("api a chunk now and then", api, HTTP_S, lambda raw: imgo_error(raw, "body"), drip=b"1\r\nx\r\n" * 99, every=0.1,
        data=b"POST /1/push?uid=1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    for daemon in (world.comet, world.logic, world.router, world.job):
        add(f"{daemon.name} admin silence", daemon.admin, ADMIN_S, plain)
        add(f"{daemon.name} admin a byte now and then", daemon.admin, ADMIN_S, plain, drip=b"GET /metrics HTTP/1.1\r\nHost: h\r\n", every=0.5)
    return expect


def on_grpc(world, crowd):
    expect = {}
    for name, data in LATE.items():
        ports = [name.split(" to ")[1].split()[0]] if " to " in name else ["comet", "logic", "router"]
        for port in ports:
            crowd.add(f"{port} {name}", getattr(world, port).rpc, data)
            expect[f"{port} {name}"] = (KEEPALIVE_S, lambda raw: True)
    return expect


def test_silence_on_every_port(world):
    with Crowd() as crowd, world.rises(world.comet, 'imc_comet_kicked_total{reason="handshake_timeout"}', 10), \
            world.rises(world.comet, 'imc_comet_kicked_total{reason="heartbeat_missed"}', 8), \
            world.rises(world.comet, "imc_comet_handshake_refused_total", 4), \
            world.rises(world.logic, 'imc_logic_refused_total{reason="http"}', 8):
        expect = {**on_grpc(world, crowd), **on_http(world, crowd), **on_comet(world, crowd)}
        crowd.wait(ADMIN_S + 4 + GRACE_S)
        for member in crowd.members:
            seconds, check = expect[member.name]
            # A byte that was on its way when the other end closed makes a reset of it.
            assert member.raw.end == "closed" or member.drip or "gRPC" in member.name, f"{member.name}: reset"
            assert check(member.raw), f"{member.name}: {member.raw.data[-500:]!r}"
            took = crowd.closed[member.name]
            assert seconds - 0.6 < took < seconds + 1 + GRACE_S, f"{member.name}: closed after {took:.1f} s"


def test_half_open_sessions(world):
    """The peer has sent its FIN and reads on: for us it has gone. What it is owed is in the mailbox."""
    for kind in ("tcp", "ws"):
        client, uid = world.session(kind)
        with Raw.of(client) as raw:
            raw.finish()
            raw.all()
        world.push(uid, "later")
        _, token = world.token(uid)
        again = (imgo.TcpClient(world.comet.tcp) if kind == "tcp" else imgo.WsClient(world.comet.ws)).auth(token)
        with again:
            assert again.push() == body_of(again, "later")


def test_half_close_behind_requests(world):
    """What was asked in the same breath is answered before the end, as far as it is read before the FIN."""
    client, _ = world.session("tcp")
    with Raw.of(client) as raw:
        raw.send(b"".join(frame(4, b"x", i) for i in range(100))).finish()
        assert [f.seq for f in tcp_frames(raw.all())] == list(range(100))
    client, _ = world.session("ws")
    with Raw.of(client) as raw:
        raw.send(b"".join(ws_message(4, "x", i) for i in range(100))).finish()
        assert len(ws_frames(raw.all())) == 100


def test_half_close_right_behind_the_auth(world):
    """Gone before logic has answered: no session remains, and nothing is lost."""
    for kind in ("tcp", "ws"):
        uid, token = world.token()
        world.push(uid, "waits")
        world.cluster.settled()
        data = frame(7, token.encode()) if kind == "tcp" else ws_request() + ws_message(7, token)
        with Raw(getattr(world.comet, kind), data) as raw:
            if b"waits" in raw.finish().all():
                continue  # logic was quicker than the end: it has been delivered
        client = (imgo.TcpClient(world.comet.tcp) if kind == "tcp" else imgo.WsClient(world.comet.ws)).auth(token)
        with client:
            assert client.push() == body_of(client, "waits")
