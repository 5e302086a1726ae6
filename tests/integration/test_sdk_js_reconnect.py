"""sdk/js and a cluster that changes: comets drain, are killed and come back, users are revoked, sessions replaced."""
import pytest

import sdk
from cluster import Cluster, wait_for
from traffic import QUICK


@pytest.fixture(scope="module")
def node():
    made = sdk.Node()
    yield made
    made.stop()


@pytest.fixture(params=["binary", "json"])
def client(request, node):
    opened = []

    def make(**options):
        opened.append(node.client(form=request.param, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.call("close")


def url_of(comet):
    return "ws://{}:{}/sub".format(*comet.ws)


@pytest.fixture(scope="module")
def _made(bus):
    """Two comets. Who asks logic for one is sent to the first, whose port is the one that logic names."""
    env = QUICK | {"IMC_LOGIC_NODES_OPEN": "yes", "IMC_LOGIC_NODES_HEARTBEAT": "1s", "IMC_COMET_NODE_IPS": "127.0.0.1"}
    cluster = Cluster(bus, comets=2, env=env)
    logic = cluster.logics[0]
    logic.term()
    logic.env["IMC_LOGIC_NODES_WS_PORT"] = str(cluster.comets[0].ws[1])
    logic.start()
    yield cluster.wait_ready()
    cluster.stop()


@pytest.fixture
def cluster(_made):
    _made.heal()

    def both_known():
        listed = _made.api.goim("GET", "/goim/nodes/instances")
        return [comet["metadata"]["offline"] for comet in listed] == ["false"] * 2
    wait_for(both_known, 10, "logic to know that both comets take clients")
    return _made


def test_a_comet_that_drains_names_another(cluster, client, uid):
    """The client has no other address than that of the comet that goes."""
    first, second = cluster.comets
    one = client(url=url_of(first), token=cluster.api.token(uid), rooms=["live://1"]).opened()
    assert first.term() == 0
    closed = one.get("close")
    assert (closed["error"]["name"], closed["error"]["code"], closed["willRetry"]) == ("GoingAwayError", 9, True)
    assert one.get("retry")["delayMs"] <= 1000
    one.opened()
    assert one.get("open")["url"] == url_of(first)
    assert one.get("open")["url"] == url_of(second)
    cluster.api.push(uid, "to the user")
    assert one.text() == "to the user"
    cluster.api.push_room("live://1", "to the room")
    assert one.text() == "to the room"


def test_a_comet_that_is_killed_and_comes_back(cluster, client, uid):
    first = cluster.comets[0]
    one = client(url=url_of(first), token=cluster.api.token(uid)).opened()
    first.kill9()
    closed = one.get("close")
    assert closed["error"]["name"] == "ConnectionLostError" and closed["willRetry"], closed
    cluster.api.push(uid, "meanwhile")
    cluster.heal()
    one.opened()
    assert one.text() == "meanwhile"


def test_of_two_addresses_the_other_one(cluster, client, uid):
    first, second = cluster.comets
    one = client(urls=[url_of(first), url_of(second)], token=cluster.api.token(uid)).opened()
    first.kill9()
    one.get("close")
    one.opened()
    assert [one.get("open")["url"] for _ in range(2)] == [url_of(first), url_of(second)]
    cluster.api.push(uid, "here")
    assert one.text() == "here"


def test_logic_says_where_to_go_and_how_often_to_beat(cluster, client, uid):
    nodes = f"http://127.0.0.1:{cluster.logics[0].http}/goim/nodes/weighted"
    comet = cluster.comets[0]
    before = comet.metrics()["imc_comet_frames_in_total"]
    one = client(nodes=nodes, token=cluster.api.token(uid)).opened()
    assert one.get("open")["url"] == url_of(comet)
    wait_for(lambda: comet.metrics()["imc_comet_frames_in_total"] >= before + 4, 10, "an auth and three heartbeats")
    cluster.api.push(uid, "found")
    assert one.text() == "found"


def test_who_is_revoked_stays_away(cluster, client, uid):
    one = client(url=url_of(cluster.comets[0]), token=cluster.api.token(uid)).opened()
    cluster.api.ok("POST", "/1/admin/revoke", uid=uid)
    closed = one.get("close")
    assert (closed["error"]["name"], closed["willRetry"]) == ("TokenError", False), closed
    with pytest.raises(sdk.Failed, match="TokenError"):
        one.call("ready")
    assert one.call("state") == "closed"


def test_a_newer_session_of_the_same_key_takes_the_place(cluster, client, uid):
    token = cluster.api.token(uid)
    one = client(url=url_of(cluster.comets[0]), token=token, key="phone").opened()
    two = client(url=url_of(cluster.comets[1]), token=token, key="phone").opened()
    closed = one.get("close")
    assert (closed["error"]["name"], closed["error"]["code"], closed["willRetry"]) == ("ReplacedError", 5, False)
    cluster.api.push(uid, "to the newer one")
    assert two.text() == "to the newer one"


def test_a_session_too_many_is_refused(cluster, client, uid):
    """sessions.max_per_uid is 32."""
    token = cluster.api.token(uid)
    many = [client(url=url_of(cluster.comets[0]), token=token) for _ in range(32)]
    for one in many:
        one.opened()
    with pytest.raises(sdk.Failed) as failure:
        client(url=url_of(cluster.comets[1]), token=token).opened()
    assert (failure.value.name, failure.value.code) == ("TooManySessionsError", 6)
