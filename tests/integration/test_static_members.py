"""Members by a list (members.static) instead of leases: who lives is asked of every address, Redis is not."""
import http.client
import json
import socketserver
import subprocess
import threading
import time

import pytest

from cluster import BUILD, free_port, wait_for
from traffic import QUICK, Traffic

pytestmark = pytest.mark.long

TTL = 1.5  # QUICK's


class Stranger(socketserver.ThreadingTCPServer):
    """Something in the list that is no daemon."""
    daemon_threads = True
    block_on_close = False

    class Answer(socketserver.StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nI am a teapot")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Answer)
        self.address = f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture(scope="module")
def stranger():
    with Stranger() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def nobody():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def cluster(own_cluster, stranger, nobody):
    cluster = own_cluster(comets=2, logics=2, routers=2, jobs=2, env=QUICK, members=[stranger.address, nobody])
    wait_for(lambda: not any(cluster.api.counts("server").values()), what="earlier sessions to end")
    return cluster


def member(daemon):
    status, text = daemon.get("/member")
    assert status == 200, (daemon.name, text)
    return json.loads(text)


def lives(cluster):
    return {daemon.name: daemon.metrics()["imc_member_lives_total"] for daemon in cluster.daemons()}


def incomplete(cluster):
    return sum(router.metrics()["imc_router_incomplete"] for router in cluster.routers)


def test_pushes_reach_everybody(cluster, connect, uids):
    users = uids(20)
    clients = {uid: connect(cluster.comets[i % 2], cluster.logics[i // 2 % 2].api.token(uid))
               for i, uid in enumerate(users)}
    wait_for(lambda: not incomplete(cluster), what="the routers to know everybody")
    with Traffic([logic.api for logic in cluster.logics], users, every=0) as traffic:
        traffic.go_on(400)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client)
    room = f"static-{users[0]}"
    guests = [connect(comet, cluster.api.token(uid, room=room)) for comet, uid in zip(cluster.comets, uids(2))]
    for i in range(10):
        cluster.logics[i % 2].api.push_room(room, str(i))
    for guest in guests:
        assert [int(body) for body in guest.pushes(10)] == list(range(10))
    assert cluster.redis_cli("--scan", "--pattern", "imc:members:*") == ""


def test_every_daemon_tells_who_it_is(cluster):
    for daemon in cluster.daemons():
        record = member(daemon)
        assert (record["kind"], record["id"], record["state"]) == (daemon.kind, daemon.id, "held")
    assert len({member(logic)["node"] for logic in cluster.logics}) == 2
    for comet in cluster.comets:
        assert member(comet)["tcp"] == f"127.0.0.1:{comet.tcp[1]}"


def test_what_is_no_daemon_is_named_once(cluster, stranger, nobody):
    def seen(name):
        return cluster.comets[0].metrics()[f"imc_members_{name}_total"]

    for name in ("asked", "malformed", "unanswered"):  # again and again, and told once all the same
        wait_for(lambda n=name, before=seen(name): seen(n) >= before + 2, 10, f"more that are {name}")
    assert cluster.comets[0].metrics()["imc_members_addresses"] >= 10
    for daemon in cluster.daemons():
        life = daemon.log().rsplit(" started ", 1)[-1]
        for what, address in (("not a member's record", stranger.address), ("no answer", nobody)):
            lines = [line for line in life.splitlines() if f"{what} address=\"{address}\"" in line]
            assert len(lines) == 1, (daemon.name, lines)


def test_redis_paused_for_long(cluster, connect, uids):
    users = uids(10)
    clients = {uid: connect(cluster.comets[i % 2], cluster.api.token(uid)) for i, uid in enumerate(users)}
    wait_for(lambda: not incomplete(cluster), what="the routers to know everybody")
    was = lives(cluster)
    gone = cluster.sum("job", "imc_members_lapsed_total")
    cluster.redis.pause()
    begin = time.monotonic()
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(50)
        witness = clients[users[-1]]
        seen = [int(witness.push(2))]  # now, not when Redis is back
        wait_for(lambda: time.monotonic() - begin > 8, 12, "five times the life of a lease")
        assert lives(cluster) == was and not incomplete(cluster)
        traffic.go_on(50)
        cluster.redis.resume()
    assert not traffic.errors
    for uid in users[:-1]:
        traffic.received(uid, clients[uid])
    traffic.received(users[-1], witness, seen)
    assert lives(cluster) == was
    assert cluster.sum("job", "imc_members_lapsed_total") == gone
    wait_for(lambda: all(daemon.ready() for daemon in cluster.daemons()), what="everybody to be ready")


def test_a_comet_is_killed(cluster, connect, uids):
    users = uids(10)
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users}
    with Traffic([logic.api for logic in cluster.logics], users) as traffic:
        traffic.go_on(50)
        cluster.comets[0].kill9()
        traffic.go_on(100)
    assert not traffic.errors
    got = {uid: [int(body) for body in client.drain()] for uid, client in clients.items()}
    for uid in users:
        wait_for(lambda: len(set(traffic.accepted[uid]) - set(got[uid])) <= cluster.mailbox(uid), 10,
                 f"{uid}'s mailbox to hold what it did not get")
    wait_for(lambda: 1 not in cluster.api.counts("server"), what="its sessions to be forgotten")
    moved = {uid: connect(cluster.comets[1], tokens[uid]) for uid in users}
    for uid in users:
        traffic.received(uid, moved[uid], got[uid], repeats=True)
    cluster.heal()
    assert member(cluster.comets[0])["state"] == "held"


def test_a_comet_stands_still(cluster, connect, uids):
    users = uids(10)
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in users}
    epoch = member(cluster.comets[0])["epoch"]
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(30)
        cluster.comets[0].pause()
        begin = time.monotonic()
        wait_for(lambda: 1 not in cluster.api.counts("server"), 10, "its sessions to be forgotten")
        traffic.go_on(50)
        wait_for(lambda: time.monotonic() - begin > TTL + 3, what="its ttl, and three seconds")
        cluster.comets[0].resume()
        traffic.go_on(50)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client, repeats=True)
    wait_for(lambda: cluster.api.counts("server").get(1) == 10, what="the sessions to be registered again")
    assert int(member(cluster.comets[0])["epoch"]) > int(epoch)
    wait_for(lambda: not incomplete(cluster), what="the routers to know everybody")
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(50)
    for uid, client in clients.items():
        traffic.received(uid, client, timeout=3)


def test_a_router_is_killed_and_comes_back(cluster, connect, uids):
    users = uids(20)
    clients = {uid: connect(cluster.comets[i % 2], cluster.api.token(uid)) for i, uid in enumerate(users)}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(50)
        cluster.routers[0].kill9()
        traffic.go_on(50)
        cluster.routers[0].start()
        traffic.go_on(100)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client, repeats=True)
    cluster.heal()
    wait_for(lambda: cluster.sum("router", "imc_router_sessions") == 20, what="the sessions to be registered again")
    wait_for(lambda: not incomplete(cluster), what="the routers to know everybody")
    assert cluster.api.counts("server") == {1: 10, 2: 10}


def test_who_ends_is_gone_at_once(cluster, connect, uid):
    client = connect(cluster.comets[1], cluster.api.token(uid))
    lapsed = cluster.sum("router", "imc_members_lapsed_total")
    assert cluster.comets[0].term() == 0
    begin = time.monotonic()
    wait_for(lambda: all(router.metrics()["imc_router_comets"] == 1 for router in cluster.routers), 1,
             "the routers to see it go")
    assert time.monotonic() - begin < TTL
    cluster.api.push(uid, "1")
    assert int(client.push()) == 1
    cluster.comets[0].start()
    cluster.heal()
    assert cluster.sum("router", "imc_members_lapsed_total") == lapsed


def test_a_logic_ends_and_the_other_one_goes_on(cluster, connect, uids):
    users = uids(6)
    clients = {uid: connect(cluster.comets[i % 2], cluster.api.token(uid)) for i, uid in enumerate(users)}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(30)
        assert cluster.logics[1].term() == 0
        traffic.go_on(30)
        cluster.logics[1].start()
        cluster.heal()
        traffic.go_on(30)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client)
    assert len({member(logic)["node"] for logic in cluster.logics}) == 2


@pytest.mark.parametrize("listed, why", [
    ("comet", 'members.static: "comet": host:port is wanted'),
    ("10.0.0.1:8093,comet:0", 'members.static: "comet:0": its port is no number from 1 to 65535'),
    ("a:1,a:1", 'members.static: "a:1": it is listed twice'),
    ("10.0.0.300:1", 'members.static: "10.0.0.300:1": its host is no IPv4 address'),
])
@pytest.mark.parametrize("kind", ["comet", "logic", "router", "job"])
def test_a_bad_list_is_refused(kind, listed, why):
    result = subprocess.run([str(BUILD / kind / f"imc-{kind}"), "--check"], capture_output=True, text=True, timeout=30,
                            check=False, env={f"IMC_{kind.upper()}_MEMBERS_STATIC": listed})
    assert (result.returncode, result.stderr) == (1, f"imc-{kind}: {why}\n")


def say(daemon, query, source="127.0.0.1", method="POST", **headers):
    """What is said to DAEMON about itself: the status."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=5, source_address=(source, 0))
    connection.request(method, f"/member?{query}", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_who_is_believed(cluster):
    """That somebody is dead: said by POST, from an address of the list, by no web page, and not to a life that has just begun."""
    router, comet = cluster.routers[0], cluster.comets[0]
    wait_for(lambda: router.metrics()["imc_uptime_seconds"] > 2 * TTL, what="a life to last")
    epoch = member(router)["epoch"]
    who = f"kind=comet&id=1&epoch={member(comet)['epoch']}"
    before = router.metrics()["imc_members_disbelieved_total"]
    assert say(router, f"{who}&dead={epoch}", method="GET") == 200
    assert say(router, f"{who}&dead={epoch}", Origin="http://example.org") == 403
    assert say(router, f"{who}&dead={epoch}", **{"Sec-Fetch-Site": "same-origin"}) == 403
    assert say(router, f"{who}&dead={epoch}", source="127.0.0.9") == 200
    assert say(router, f"kind=comet&id=1&epoch=7&dead={epoch}") == 200
    assert say(router, f"{who}&leaving=1", source="127.0.0.9") == 200
    assert member(router)["epoch"] == epoch
    assert router.metrics()["imc_members_disbelieved_total"] == before + 3
    assert "not believed" in router.log()
    assert say(router, f"{who}&dead={epoch}") == 200
    again = member(router)["epoch"]
    assert again != epoch
    wait_for(lambda: member(router)["state"] == "held", what="the next life")
    assert say(router, f"{who}&dead={again}") == 200, "one more at once cannot be"
    assert member(router)["epoch"] == again
    wait_for(lambda: all(daemon.ready() for daemon in cluster.daemons()) and not incomplete(cluster), 20, "all to be as before")
