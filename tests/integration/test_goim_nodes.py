"""Which comets clients are told to connect to (goim's /goim/nodes/weighted): by region, weight and connections, of those
that take clients. With leases, and with a list of members."""
import collections
import contextlib
import time

import pytest

import imgo
from cluster import wait_for
from traffic import QUICK

RENEW, TTL = 0.3, 1.5  # QUICK's
REGIONS = {"sh": "10.1.0.0/16", "bj": "2001:db8::/32"}
ENV = QUICK | {
    "IMC_LOGIC_NODES_OPEN": "yes",
    "IMC_LOGIC_NODES_DOMAIN": "conn.example",
    "IMC_LOGIC_NODES_HOST_DOMAIN": ".conn.example",
    "IMC_LOGIC_NODES_TCP_PORT": "3101",
    "IMC_LOGIC_NODES_WS_PORT": "3102",
    "IMC_LOGIC_NODES_WSS_PORT": "3103",
    "IMC_LOGIC_NODES_REGIONS": ",".join(f"{name}={network}" for name, network in REGIONS.items()),
}


def comet(name, region, **more):
    return {"IMC_COMET_NODE_HOST": name, "IMC_COMET_NODE_IPS": f"192.0.2.{ord(name)}", "IMC_COMET_LEASE_REGION": region,
            "IMC_COMET_LEASE_ZONE": f"{region}001", **more}


SLOW_DRAIN = {"IMC_COMET_DRAIN_RATE": "1", "IMC_COMET_DAEMON_DRAIN": "10s"}
EACH = {"comet-1": comet("a", "sh"), "comet-2": comet("b", "bj", **SLOW_DRAIN)}


@pytest.fixture(params=["leases", "static"])
def cluster(request, make_cluster):
    """Comet a in region sh, comet b in region bj."""
    cluster = make_cluster(comets=2, env=ENV, each=EACH, members=None if request.param == "leases" else [])
    wait_for(lambda: len(nodes(cluster)) == 2, 10, "logic to see both comets take clients")
    return cluster


def weighted(cluster, platform="web", ip=None):
    headers = {"X-Forwarded-For": ip} if ip else {}
    status, answer = cluster.api.call("GET", "/goim/nodes/weighted", headers=headers, platform=platform)
    assert (status, answer["code"], answer["message"]) == (200, 0, ""), (status, answer)
    return answer["data"]


def nodes(cluster, platform="web", ip=None):
    return weighted(cluster, platform, ip)["nodes"]


def firsts(cluster, n, ip=None):
    """How often each comet is the first of N answers."""
    return collections.Counter(nodes(cluster, ip=ip)[0][0] for _ in range(n))


def instances(cluster):
    status, answer = cluster.api.call("GET", "/goim/nodes/instances")
    assert (status, answer["code"]) == (200, 0), (status, answer)
    return {row["hostname"]: row for row in answer["data"]}


@contextlib.contextmanager
def sessions(cluster, comet, n, uids):
    clients = [imgo.TcpClient(comet.tcp).auth(cluster.api.token(uid)) for uid in uids(n)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def test_what_a_client_is_told(cluster):
    data = weighted(cluster)
    assert sorted(data.pop("nodes")) == ["a.conn.example", "b.conn.example"]
    assert data == {"domain": "conn.example", "tcp_port": 3101, "ws_port": 3102, "wss_port": 3103, "heartbeat": 240,
                    "heartbeat_max": 2,
                    "backoff": {"max_delay": 300, "base_delay": 3, "factor": 1.8, "jitter": 0.3}}
    assert sorted(nodes(cluster, "android")) == ["192.0.2.97", "192.0.2.98"]


def test_the_clients_region_weighs_more(cluster):
    assert 31 <= firsts(cluster, 52, "10.1.2.3")["a"] <= 33  # 1.6 : 1
    assert 31 <= firsts(cluster, 52, "2001:db8::1")["b"] <= 33
    assert 25 <= firsts(cluster, 52, "10.9.0.1")["a"] <= 27


def test_a_comet_with_more_connections_comes_first_less_often(cluster, uids):
    with sessions(cluster, cluster.comets[0], 60, uids):
        wait_for(lambda: instances(cluster)["a"]["metadata"]["conn_count"] == "60", 10, "logic to know the connections")
        wait_for(lambda: firsts(cluster, 60)["a"] <= 25, 10, "the weight to fall")
    wait_for(lambda: instances(cluster)["a"]["metadata"]["conn_count"] == "0", 10, "logic to know that they have gone")
    wait_for(lambda: 29 <= firsts(cluster, 60)["a"] <= 31, 10, "the weights to be even again")


def test_instances(cluster):
    rows = instances(cluster)
    assert rows.keys() == {"a", "b"}
    row = rows["b"]
    taken_s = row.pop("latest_timestamp") / 1e9
    assert abs(time.time() - taken_s) < 300, taken_s
    assert row == {"region": "bj", "zone": "bj001", "env": "", "appid": "goim.comet", "hostname": "b",
                   "addrs": [f"grpc://127.0.0.1:{cluster.comets[1].rpc}"], "version": "",
                   "metadata": {"weight": "10", "offline": "false", "addrs": "192.0.2.98", "ip_count": "0",
                                "conn_count": "0"}}


def test_a_comet_that_drains_leaves_the_list_at_once(cluster, uids):
    with sessions(cluster, cluster.comets[1], 20, uids):
        begin = time.monotonic()
        cluster.comets[1].ask_to_end()
        wait_for(lambda: nodes(cluster) == ["a.conn.example"], 10, "the comet to leave the list", 0.005)
        took = time.monotonic() - begin
        row = instances(cluster)["b"]
        assert cluster.comets[1].alive() and row["metadata"]["offline"] == "true", row
        print(f"left after {took * 1000:.0f} ms")
        assert took < 2 * RENEW + 0.3, took
    assert cluster.comets[1].term(20) == 0
    wait_for(lambda: instances(cluster).keys() == {"a"}, 5, "its record to go")


def test_a_comet_that_is_killed_leaves_after_its_lease(cluster):
    cluster.comets[1].kill9()
    begin = time.monotonic()
    wait_for(lambda: nodes(cluster) == ["a.conn.example"], TTL + 5, "the comet to leave the list")
    assert 0.5 * TTL < time.monotonic() - begin, "it was missed before its lease ended"
    cluster.comets[1].start()
    wait_for(lambda: len(nodes(cluster)) == 2, 20, "the comet to be in the list again")


def test_without_comets_there_is_the_domain(cluster):
    for one in cluster.comets:
        one.ask_to_end()
    wait_for(lambda: nodes(cluster) == ["conn.example"], 10, "all comets to leave the list")
    assert weighted(cluster)["domain"] == "conn.example"


def test_a_full_comet_is_left_out(make_cluster, uids):
    cluster = make_cluster(comets=2, env=ENV, each={"comet-1": comet("a", "sh"),
                                                    "comet-2": comet("b", "bj", IMC_COMET_CONN_MAX="10")})
    wait_for(lambda: len(nodes(cluster)) == 2, 10, "logic to see both comets take clients")
    with sessions(cluster, cluster.comets[1], 10, uids):
        wait_for(lambda: nodes(cluster) == ["a.conn.example"], 5, "the full comet to leave the list")
    wait_for(lambda: len(nodes(cluster)) == 2, 5, "the comet to be in the list again")


def test_a_comet_that_cannot_admit_is_left_out(make_cluster):
    """Without a router logic admits nobody, and so no comet does."""
    cluster = make_cluster(comets=1, env=ENV, each={"comet-1": comet("a", "sh")})
    wait_for(lambda: nodes(cluster) == ["a.conn.example"], 10, "logic to see the comet take clients")
    cluster.routers[0].pause()
    wait_for(lambda: nodes(cluster) == ["conn.example"], 20, "no comet to be left, since none can admit")
    cluster.routers[0].resume()
    wait_for(lambda: nodes(cluster) == ["a.conn.example"], 20, "the comet to be in the list again")


def test_who_may_ask(strict, shared):
    path = "/goim/nodes/weighted?platform=web"
    for cluster, needs in ((strict, True), (shared, False)):
        status, text, _ = cluster.api.request("GET", path, headers={"X-API-Key": "wrong"})
        assert (status == 401) is needs, text
    # Nobody forwards without a key unless nodes.open is set.
    assert shared.api.request("GET", path, headers={"X-Forwarded-For": "10.1.2.3"})[0] == 401
    assert strict.api.request("GET", path, headers={"X-Forwarded-For": "10.1.2.3"})[0] == 200
