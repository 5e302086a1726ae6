"""What an operator may have broken in Redis: refused for the user it belongs to, with a line in the log; nobody else notices,
and when the key is right again, so is everything."""
import contextlib
import json
import socket
import struct
import subprocess
import time

import pytest

import imgo
from hostile import hostile, hostile_cluster, wait_for, world  # noqa: F401 (fixtures)


def redis(world, *args):
    """Arguments may be bytes."""
    run = subprocess.run(["redis-cli", "-p", str(world.cluster.redis_port), *[a if isinstance(a, (str, bytes)) else str(a) for a in args]],
                         capture_output=True, timeout=10, check=True)
    return run.stdout.decode(errors="replace").strip()


def store(world, key, score, member, new=True):
    """A member of any bytes, NUL included: by Redis' protocol."""
    words = [b"ZADD", key.encode(), str(score).encode(), member]
    with socket.create_connection(("127.0.0.1", world.cluster.redis_port), 10) as s:
        s.sendall(b"*4\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        assert s.recv(100) == b":1\r\n" or not new


@pytest.fixture(params=["tcp", "ws"])
def kind(request):
    return request.param


def connect(world, kind, token):
    client = imgo.TcpClient(world.comet.tcp) if kind == "tcp" else imgo.WsClient(world.comet.ws)
    client.send_auth(token)
    return client


# --- tokens ---

NOT_A_TOKEN = {
    "empty": "", "text": "hello", "no uid": "1  * ", "another version": "2 5 * ", "uid is no number": "1 abc * room",
    "uid beyond 64 bits": "1 99999999999999999999 * ", "uid of 1,000 digits": "1 " + "9" * 1000 + " * ", "cut off": "1 5",
    "no room": "1 5 *", "bytes": b"\xff\xfe\x01", "a room of 129 bytes": "1 5 * " + "r" * 129, "a room of 100,000 bytes": "1 5 * " + "r" * 100_000,
}


@pytest.mark.parametrize("case", NOT_A_TOKEN)
def test_a_tokens_value_is_garbage(world, kind, case):
    redis(world, "set", f"imc:token:broken-{kind}", NOT_A_TOKEN[case])
    with world.rises(world.logic, 'imc_logic_connects_total{result="token"}'), connect(world, kind, f"broken-{kind}") as client:
        assert "token" in client.kicked(1)
    redis(world, "del", f"imc:token:broken-{kind}")


def test_a_tokens_garbage_is_told(world):
    time.sleep(1.1)  # lines of one kind are limited to ten a second
    redis(world, "set", "imc:token:broken", "hello")
    with world.says(world.logic, "token value is not ours"), connect(world, "tcp", "broken") as client:
        client.kicked(1)
    redis(world, "del", "imc:token:broken")


def test_a_tokens_key_is_of_another_type(world, kind):
    redis(world, "rpush", f"imc:token:list-{kind}", "x")
    with connect(world, kind, f"list-{kind}") as client:
        assert "token" in client.kicked(1)
    uid, _ = world.token()
    status, answer = world.http("POST", "/1/admin/token/new", uid=uid, token=f"list-{kind}")
    assert (status, answer["ret"]) == (200, 1), "a new token replaces whatever was there"
    with connect(world, kind, f"list-{kind}") as client:
        assert client.recv().op == 8


def test_a_users_token_key_is_of_another_type(world):
    uid = world.uid()
    redis(world, "rpush", f"imc:ut:{uid}", "x")
    with world.says(world.logic, "WRONGTYPE"):
        status, answer = world.http("POST", "/1/admin/token/new", uid=uid, token=f"t-{uid}")
    assert (status, answer["ret"]) == (503, 65535) and "Redis" in answer["error"], answer
    redis(world, "del", f"imc:ut:{uid}")
    status, answer = world.http("POST", "/1/admin/token/new", uid=uid, token=f"t-{uid}")
    assert (status, answer["ret"]) == (200, 1), answer


def test_an_idempotency_key_is_of_another_type(world):
    client, uid = world.session("tcp")
    with client:
        world.http("POST", "/1/push", "first", uid=uid, id="same")
        for key in redis(world, "keys", "imc:idem*").split():
            redis(world, "del", key)
            redis(world, "rpush", key, "x")
        status, answer = world.http("POST", "/1/push", "second", uid=uid, id="same")
        assert (status, answer["ret"]) == (503, 65535) and answer["error"].startswith("id:"), answer
        world.push(uid, "third")
        assert client.pushes(2) == [b"first", b"third"]


# --- mailboxes ---

def waiting(world, uid, n):
    """N messages wait for UID: 0, 1, 2 …"""
    for i in range(n):
        world.push(uid, str(i))
    wait_for(lambda: world.cluster.mailbox(uid) == n, 10, "the messages to wait")


FAR = int((time.time() + 5 * 86400) * 1000) << 22
FOREIGN, EXPIRED = "imc_logic_mailbox_foreign_total", "imc_logic_expired_total"
NOT_A_MESSAGE = {
    "empty": (b"", FOREIGN), "one byte": (b"x", FOREIGN), "7 bytes": (b"1234567", FOREIGN), "19 bytes": (b"x" * 19, FOREIGN),
    "a text": (b"zebras are no messages", FOREIGN), "\\xff": (b"\xff" * 40, FOREIGN), "long": (b"z" * 1_500_000, FOREIGN),
    "an id of next week": (struct.pack(">QIQ", FAR, 5, 0) + b"x", FOREIGN),
    # These might be messages of long ago.
    "zeros": (bytes(40), EXPIRED), "an old text": (b"Hello, this is no message", EXPIRED),
}


@pytest.mark.parametrize("case", NOT_A_MESSAGE)
def test_garbage_among_the_waiting(world, case):
    """What waits comes, once and in order; the garbage goes, counted and told; the mailbox is empty in the end."""
    uid, token = world.token()
    waiting(world, uid, 3)
    member, counter = NOT_A_MESSAGE[case]
    store(world, f"imc:mb:{uid}", int(time.time() * 1000) - 60_000, member)
    with world.rises(world.logic, counter), world.says(world.logic, "members are not ours" if counter == FOREIGN else ""):
        with connect(world, "tcp", token) as client:
            assert client.recv().op == 8
            assert client.pushes(3) == [b"0", b"1", b"2"]
            wait_for(lambda: world.cluster.mailbox(uid) == 0, 10, lambda: redis(world, "zrange", f"imc:mb:{uid}", 0, -1)[:200])
            world.push(uid, "now")
            assert client.push() == b"now"
            client.nothing(0.1)


def test_garbage_of_every_kind_at_every_place(world, kind):
    """More than a page of it, before, among and behind what waits."""
    uid, token = world.token()
    waiting(world, uid, 3)
    first = int(float(redis(world, "zrange", f"imc:mb:{uid}", 0, 0, "withscores").split()[-1]))
    for score in ("-inf", -1, 0, first, first + 1, first + 60_000, "1e300", "+inf"):
        for number, (member, _) in enumerate(NOT_A_MESSAGE.values()):
            if len(member) < 1000 and member.strip(b"\0"):  # zeros behind id 0 are never read, and lapse with the key
                store(world, f"imc:mb:{uid}", score, member + b"%d" % number if isinstance(score, int) and member else member, new=False)
    for number in range(50):
        store(world, f"imc:mb:{uid}", first, b"%d" % number)
    with connect(world, kind, token) as client:
        assert client.recv().op == 8
        assert [str(body).strip("b'") for body in client.pushes(3)] == ["0", "1", "2"]
        wait_for(lambda: world.cluster.mailbox(uid) == 0, 10, lambda: redis(world, "zrange", f"imc:mb:{uid}", 0, -1, "withscores")[:300])
        world.push(uid, '"now"')
        assert client.push() in (b'"now"', "now")


@pytest.mark.parametrize("case", [c for c in NOT_A_MESSAGE if c not in ("long", "zeros")])
def test_garbage_in_what_msg_get_reads(world, case):
    uid, token = world.token()
    waiting(world, uid, 3)
    member, _ = NOT_A_MESSAGE[case]
    store(world, f"imc:mb:{uid}", 0, member)
    store(world, f"imc:mb:{uid}", int(time.time() * 1000) + 60_000, member + b"y")
    status, answer = world.http("GET", "/1/msg/get", uid=uid, token=token)
    assert (status, answer["ret"]) == (200, 0), answer
    assert len(answer["data"]["msgs"]) == 3, answer
    status, answer = world.http("GET", "/1/msg/get", uid=uid, token=token, mid=answer["data"]["msgs"][1]["mid"])
    assert (status, answer["ret"], len(answer["data"]["msgs"])) == (200, 0, 1), answer
    assert world.cluster.mailbox(uid) == 1


@pytest.mark.parametrize("how", [("set", "x"), ("rpush", "x"), ("hset", "a", "b")], ids=["string", "list", "hash"])
def test_a_mailbox_of_another_type(world, how):
    """The user cannot come in (code 12: try again); what is pushed to the user waits in job; then all is as it was."""
    uid, token = world.token()
    key = f"imc:mb:{uid}"
    redis(world, how[0], key, *how[1:])
    with world.says(world.logic, "WRONGTYPE"):
        with connect(world, "tcp", token) as client:
            assert "unavailable" in client.kicked(12)
    with world.rises(world.logic, "imc_logic_store_failed_total"):
        world.push(uid, "patience")
    status, answer = world.http("GET", "/1/msg/get", uid=uid, token=token)
    assert (status, answer["ret"]) == (503, 65535), answer
    other, other_uid = world.session("tcp")
    with other:
        world.push(other_uid, "others do not wait")
        assert other.push() == b"others do not wait"
    redis(world, "del", key)
    wait_for(lambda: world.cluster.mailbox(uid) == 1, 20, "job to store it")
    with connect(world, "ws", token) as client:
        assert (client.recv().op, client.push()) == (8, "patience")
    world.cluster.settled()


# --- leases ---

def lease(**fields):
    return json.dumps({"epoch": "1", "weight": 1, "connections": 0, "ttl": 3000, "expires": int((time.time() + 3) * 1000),
                       "rpc": "", **fields}, allow_nan=True)


BROKEN_LEASES = {
    "text": "hello", "empty": "", "bytes": b"\xff\xfe", "an array": "[1]", "a number": "5", "half": '{"epoch":"1"',
    "nothing in it": "{}", "deep": '{"expires":9e15,"ttl":3000,"x":' + "[" * 900 + "]" * 900 + "}",
    "too deep": "[" * 100_000, "no epoch": '{"expires":9e15,"ttl":2000}', "strings for numbers": lease(ttl="x", expires="y"),
    "numbers for strings": lease(epoch=5, rpc=7, tcp={}), "endless": lease(ttl=1e18, expires=1e18), "infinite": lease(ttl=float("inf"), expires=9e15),
    "not a number": lease(weight=float("nan")), "negative": lease(ttl=-1, expires=-1), "an endless address": lease(rpc="x" * 5000),
    "an address that is none": lease(rpc="no address"),
}


@pytest.mark.parametrize("case", BROKEN_LEASES)
def test_a_lease_is_garbage(world, case):
    """Beside the real ones, in every hash: leases go on being renewed, by the same lives of the same daemons."""
    kinds = ("comet", "logic", "router", "job") if "address" not in case else ("comet", "logic", "job")
    epochs = {kind: json.loads(redis(world, "hget", f"imc:members:{kind}", "1"))["epoch"] for kind in kinds}
    logs = {daemon: len(daemon.log()) for daemon in world.cluster.daemons()}
    begin = int(time.time() * 1000)
    for kind in kinds:
        redis(world, "hset", f"imc:members:{kind}", "an-intruder", BROKEN_LEASES[case])

    def renewed(kind):
        member = json.loads(redis(world, "hget", f"imc:members:{kind}", "1") or "null")
        return member and member["epoch"] == epochs[kind] and member["expires"] - member["ttl"] > begin + 100

    def ends(kind):  # pruned by whoever watches this kind, which need not be who has just renewed
        left = redis(world, "hget", f"imc:members:{kind}", "an-intruder")
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            return not left or 0 < json.loads(left)["ttl"] < 3600_000
        return False
    for kind in kinds:
        wait_for(lambda: renewed(kind), 6, lambda: f"{kind}'s lease: {redis(world, 'hgetall', f'imc:members:{kind}')[:500]}", 0.1)
        wait_for(lambda: ends(kind), 6, f"the intruder among the {kind}s would stay for ever", 0.1)
        redis(world, "hdel", f"imc:members:{kind}", "an-intruder")
    for daemon, start in logs.items():
        new = daemon.log()[start:]
        assert "lease not renewed" not in new and "lease lapsed" not in new and "lease held" not in new, new


@pytest.mark.parametrize("kind", ["comet", "router", "logic", "job"])
def test_the_hash_of_leases_is_no_hash(world, kind):
    """The last known members stay in force; daemons say what is wrong; then they come back, with a new life."""
    world.witness.may_repeat = True
    key = f"imc:members:{kind}"
    with world.says(getattr(world, kind), "lease not renewed.*WRONGTYPE"):
        redis(world, "set", key, "x")
    time.sleep(1)
    uid, token = world.token()
    with connect(world, "ws", token) as client:
        assert client.recv().op == 8
        world.push(uid, "1")
        assert client.push() == 1
        redis(world, "del", key)
        wait_for(lambda: "epoch" in redis(world, "hget", key, "1"), 10, "the lease to be held again", 0.1)
        for daemon in world.cluster.daemons():
            wait_for(daemon.ready, 10, lambda: f"{daemon.name}: {daemon.get('/readyz')}", 0.1)
        client.send(imgo.HEARTBEAT)
        world.push(uid, "2")
        assert client.push() == 2
    begin = time.time() * 1000
    wait_for(lambda: all(json.loads(redis(world, "hget", f"imc:members:{d.kind}", "1"))["expires"] > begin + 5000
                         for d in world.cluster.daemons()), 10, "every lease to be renewed")


def test_the_clock_of_the_leases_is_garbage(world):
    world.witness.may_repeat = True
    for value in ("x", "", "-5", "1e999", "nan", "99999999999999999999"):
        redis(world, "set", "imc:members:seen", value)
        wait_for(lambda: redis(world, "get", "imc:members:seen") != value, 5, f"'{value}' to be replaced", 0.05)
    redis(world, "del", "imc:members:seen")
    redis(world, "rpush", "imc:members:seen", "x")
    time.sleep(1)
    redis(world, "del", "imc:members:seen")
    for daemon in world.cluster.daemons():
        wait_for(daemon.ready, 10, lambda: f"{daemon.name}: {daemon.get('/readyz')}", 0.1)
