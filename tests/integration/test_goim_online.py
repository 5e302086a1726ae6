"""How many are online, in goim's words: the largest rooms, rooms by name, and all."""
import contextlib

import pytest

import goim
import imgo
from cluster import Cluster, wait_for
from traffic import QUICK


@pytest.fixture(scope="module", params=["leases", "static"])
def cluster(request, bus):
    members = None if request.param == "leases" else []
    cluster = Cluster(bus, comets=2, routers=2, env=QUICK, members=members).wait_ready()
    yield cluster
    cluster.stop()


def data(cluster, call, **query):
    status, answer = cluster.api.call("GET", f"/goim/online/{call}", **query)
    assert (status, answer["code"], answer["message"]) == (200, 0, ""), (status, answer)
    return answer["data"]


@contextlib.contextmanager
def crowd(cluster, uids, rooms, **more):
    """N sessions in each of ROOMS {name: N}, over both comets."""
    clients = []
    for room, n in rooms.items():
        for i, uid in enumerate(uids(n)):
            client = imgo.TcpClient(cluster.comets[i % 2].tcp, **more).auth(cluster.api.token(uid, room=room))
            clients.append(client)
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def test_the_largest_rooms_of_a_type(cluster, uids):
    with crowd(cluster, uids, {"live://7": 5, "live://8 \"x\"": 3, "live://9": 1, "chat://7": 6, "plain": 2}):
        wanted = [{"room_id": "7", "count": 5}, {"room_id": "8 \"x\"", "count": 3}, {"room_id": "9", "count": 1}]
        wait_for(lambda: data(cluster, "top", type="live", limit=10) == wanted, 10, "the largest rooms")
        wait_for(lambda: data(cluster, "top", type="live", limit=2) == wanted[:2], 10, "the two largest rooms")
        assert data(cluster, "top", type="none", limit=10) == []
        assert data(cluster, "room", type="live", rooms=["9", "7", "unknown"]) == {"9": 1, "7": 5, "unknown": 0}
        wait_for(lambda: data(cluster, "room", type="chat", rooms="7") == {"7": 6}, 10, "the room of another type")
    wait_for(lambda: data(cluster, "top", type="live", limit=10) == [], 10, "the rooms to be empty")


def test_rooms_that_goims_clients_enter_themselves(cluster, uid):
    client = goim.TcpClient(cluster.comets[0].tcp)
    client.auth(token=cluster.api.token(uid), room_id="game://1", accepts=[1000])
    wait_for(lambda: data(cluster, "room", type="game", rooms="1") == {"1": 1}, 10, "the room to have a member")
    client.close()
    wait_for(lambda: data(cluster, "room", type="game", rooms="1") == {"1": 0}, 10, "the room to be empty")


def test_all_sessions_and_their_addresses(cluster, uids):
    """An address counts once for each comet, as with goim."""
    wait_for(lambda: data(cluster, "total") == {"ip_count": 0, "conn_count": 0}, 10, "earlier sessions to be gone")
    with crowd(cluster, uids, {"a": 4}), crowd(cluster, uids, {"b": 3}, source="127.0.0.2"):
        wait_for(lambda: data(cluster, "total") == {"ip_count": 4, "conn_count": 7}, 10, "the totals")
        strangers = [imgo.TcpClient(cluster.comets[0].tcp, source="127.0.0.3") for _ in range(3)]
        wait_for(lambda: cluster.comets[0].metrics()["imc_comet_connections"] == 7, 5, "strangers to be connected")
        assert data(cluster, "total") == {"ip_count": 4, "conn_count": 7}
        for stranger in strangers:
            stranger.close()
    wait_for(lambda: data(cluster, "total") == {"ip_count": 0, "conn_count": 0}, 10, "all to be gone")


def test_no_router_no_numbers(make_cluster):
    cluster = make_cluster(env=QUICK)
    cluster.routers[0].kill9()
    wait_for(lambda: cluster.api.call("GET", "/goim/online/top", type="a", limit=1)[1]["code"] == -500, 20,
             "logic to say so")
    status, text, headers = cluster.api.request("GET", "/goim/online/room?type=a&rooms=1")
    assert (status, headers["Retry-After"]) == (200, "1") and "router" in text, text


@pytest.mark.parametrize("path", ["top", "top?type=a", "top?limit=1", "top?type=a&limit=0", "top?type=a&limit=5000",
                                  "room", "room?type=a", "room?rooms=1", "room?type=a&rooms="])
def test_what_is_missing_is_named(shared, path):
    status, answer = shared.api.call("GET", f"/goim/online/{path}")
    assert status == 200 and answer["code"] == -400 and answer.keys() == {"code", "message"}, answer
    assert answer["message"].split(":")[0] in ("type", "limit", "rooms", "room"), answer
