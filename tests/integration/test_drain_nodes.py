"""A drain moves the sessions of a comet to others, which it names: nothing is lost, and the others fill as they should."""
import http.client
import json
import time

import pytest

from cluster import SLOW, wait_for
from test_client import ImcClient
from swarm import Pushes, Swarm, check_order, wait_for_all
from traffic import QUICK

pytestmark = pytest.mark.long

N = 1000
SETTINGS = QUICK | {"IMC_COMET_DRAIN_RATE": "400", "IMC_COMET_SESSION_SILENT": "1s"}
EACH = {"comet-3": {"IMC_COMET_LEASE_WEIGHT": "20"}, "comet-4": {"IMC_COMET_CONN_MAX": "8"}}
LEFT, NAMED = "imc_comet_drain_left", 'imc_comet_drain_told_total{nodes="named"}'


def post(comet, path, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", comet.admin, timeout=5 * SLOW)
    connection.request("POST", path, headers=dict(headers))
    response = connection.getresponse()
    return response.status, response.read().decode()


def users_of(cluster, uids, n):
    users = uids(n)
    return {uid: (cluster.api.token(uid, room=f"r{uid % 50}"), f"r{uid % 50}") for uid in users}


def both_known(cluster):
    """Waits until every logic would send clients to each comet."""
    def known(logic):
        return [i["metadata"]["offline"] for i in logic.api.goim("GET", "/goim/nodes/instances")] == ["false"] * 2
    wait_for(lambda: all(known(logic) for logic in cluster.logics), 10, "logics to know that both take clients")


def check_all(swarm, pushes):
    wait_for_all(swarm.devices, pushes)
    return sum(check_order(device) for device in swarm.devices)


def drain(cluster, swarm, uids_rooms, order):
    """ORDER while pushes go on; returns when nobody is left."""
    comet = cluster.comets[0]
    with Pushes(swarm.run, [logic.api for logic in cluster.logics], *uids_rooms, 200) as pushes:
        pushes.go_on(100)
        begin = time.monotonic()
        order(comet)
        wait_for(lambda: not swarm.at(comet) or not comet.alive(), 60, lambda: f"{len(swarm.at(comet))} to have gone")
        took = time.monotonic() - begin
        swarm.all_in()
        pushes.go_on(100)
    return pushes, took


@pytest.mark.parametrize("how", ["admin", "sigterm"])
def test_a_thousand_sessions_move_and_miss_nothing(own_cluster, uids, how):
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    both_known(cluster)
    a, b = cluster.comets
    users = users_of(cluster, uids, N)
    with Swarm([a], users) as swarm:
        swarm.known = swarm.comets = [a, b]
        order = (lambda comet: post(comet, "/drain")) if how == "admin" else (lambda comet: comet.ask_to_end())
        pushes, took = drain(cluster, swarm, (list(users), sorted({room for _, room in users.values()})), order)
        assert len(swarm.at(b)) == N
        assert took > N / 400 * 0.8, "not paced"
        assert all(device.reasons == {9: 1} for device in swarm.devices)
        assert all(len(d.followed) == 1 and d.followed[0].server is b for d in swarm.devices), "not named"
        check_all(swarm, pushes)
        if how == "sigterm":
            assert a.term() == 0
            return
        assert (a.get("/healthz")[0], a.get("/readyz")[0]) == (200, 503)
        assert a.metrics()[LEFT] == 0 and a.metrics()[NAMED] == N
        wait_for(lambda: "drained" in a.log(), 5, "the log to say that nobody is left")
        assert post(a, "/undrain")[0] == 200
        wait_for(a.ready, 10, "it to be ready again")
        with Swarm([a], dict(list(users.items())[:20])) as few:
            assert len(few.at(a)) == 20


def test_the_others_fill_by_weight_and_full_ones_not_at_all(make_cluster, uids):
    cluster = make_cluster(comets=4, env=SETTINGS | {"IMC_COMET_LEASE_WEIGHT": "10", "IMC_COMET_DRAIN_RATE": "150"},
                              each=EACH)
    a, b, c, full = cluster.comets
    with Swarm([full], users_of(cluster, uids, 8)) as crowd, Swarm([a], users_of(cluster, uids, 600)) as swarm:
        swarm.known = cluster.comets
        swarm.comets = [b]
        wait_for(lambda: json.loads(full.get("/member")[1])["refuses_clients"], 10, "the full one to say so")
        wait_for(lambda: [i["metadata"]["offline"] for i in cluster.api.goim("GET", "/goim/nodes/instances")].count("true")
                 == 1, 10, "logic to know")
        assert post(a, "/drain")[0] == 200
        wait_for(lambda: len(swarm.at(b)) + len(swarm.at(c)) == 600, 30, "all to have moved")
        assert len(crowd.at(full)) == 8 and not swarm.at(full)
        assert 1.6 < len(swarm.at(c)) / len(swarm.at(b)) < 2.5, (len(swarm.at(b)), len(swarm.at(c)))


def test_who_may_ask_for_a_drain(own_cluster):
    comet = own_cluster(comets=2, logics=2, env=SETTINGS).comets[1]
    assert comet.get("/drain")[0] == 405
    assert post(comet, "/drain", {"Origin": "http://evil.example"})[0] == 403
    assert post(comet, "/undrain", {"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert comet.ready()
    assert post(comet, "/undrain")[0] == 200 and comet.ready()


def test_without_another_comet_they_are_told_all_the_same(own_cluster, connect, uid):
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    a, b = cluster.comets
    client = connect(a, cluster.api.token(uid))
    b.kill9()
    wait_for(lambda: all(len(logic.api.goim("GET", "/goim/nodes/instances")) == 1 for logic in cluster.logics), 10,
             "the dead one to be forgotten")
    assert post(a, "/drain")[0] == 200
    assert "again" in client.kicked(9) and "nodes" not in client.reason
    assert post(a, "/undrain")[0] == 200
    wait_for(a.ready, 10, "it to be ready again")


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_imc_client_follows(own_cluster, uid, transport):
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    a, b = cluster.comets
    both_known(cluster)
    token = cluster.api.token(uid)
    here, there = ("{}:{}".format(*getattr(comet, transport)) for comet in (a, b))
    client = ImcClient(transport, here, token, "--reconnect", "--count", "2").authenticated()
    cluster.api.push(uid, "1")
    assert client.line() == "op=5 seq=0 body=1"
    stays = ImcClient(transport, here, token).authenticated()
    assert post(a, "/drain")[0] == 200
    wait_for(lambda: client.words.count(b"authenticated") == 2, 10, lambda: f"it to be in again: {client.words}")
    assert f"it names {there}\nimc-client: connecting to {there}\n".encode() in client.words
    assert stays.end()[0] == 4 and f"it names {there}\n".encode() in stays.words
    cluster.api.push(uid, "2")
    assert client.line() == "op=5 seq=0 body=2"
    assert client.end()[0] == 0
    assert post(a, "/undrain")[0] == 200
    wait_for(a.ready, 10, "it to be ready again")
