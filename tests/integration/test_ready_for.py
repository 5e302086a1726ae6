"""What is away makes a daemon unready only for what needs it: /readyz?for=push, connect or store, and what they say is so."""
import pytest

import cluster as cluster_module
import imgo
from cluster import wait_for


def status(daemon, use=None):
    return daemon.get("/readyz" + (f"?for={use}" if use else ""))[0]


@pytest.fixture(scope="module")
def cluster(bus):
    cluster = cluster_module.Cluster(bus).wait_ready()
    yield cluster
    cluster.stop()


def test_everything_is_there(cluster):
    for daemon in cluster.daemons():
        assert [status(daemon, use) for use in (None, "push", "connect", "store")] == [200] * 4, daemon.get("/readyz")
        assert status(daemon, "nonsense") == 400


def test_redis_away(cluster):
    """Who is online is pushed to, and that is what readiness says."""
    logic, comet, router, job = cluster.logics[0], cluster.comets[0], cluster.routers[0], cluster.jobs[0]
    with imgo.TcpClient(comet.tcp) as client:
        client.auth(cluster.api.token(4711), timeout=10)
        cluster.redis.pause()
        try:
            wait_for(lambda: status(logic, "connect") == 503, 15, lambda: logic.get("/readyz"))
            wait_for(lambda: status(job, "store") == 503, 15, lambda: job.get("/readyz"))
            wait_for(lambda: status(comet, "connect") == 503, 15, lambda: comet.get("/readyz"))
            for daemon in cluster.daemons():
                assert status(daemon, "push") == 200, (daemon.name, daemon.get("/readyz"))
            assert status(logic) == status(comet) == status(job) == 503
            assert status(router) == 200, router.get("/readyz")  # its work needs no Redis
            assert "(needed for connect, store)" in logic.get("/readyz")[1]
            cluster.api.push(4711, '"without Redis"')
            assert client.recv(5).body == b'"without Redis"'
        finally:
            cluster.redis.resume()
    for daemon in cluster.daemons():
        wait_for(daemon.ready, 20, lambda: f"{daemon.name}: {daemon.get('/readyz')}")


def test_kafka_away(cluster):
    """Sessions come in, what waits is fetched; pushes are not taken."""
    logic, comet = cluster.logics[0], cluster.comets[0]
    cluster.bus.pause()
    try:
        assert cluster.api.call("POST", "/1/push", "x", uid=1)[0] == 503  # who asks learns it, and so does readiness
        wait_for(lambda: status(logic, "push") == 503, 15, lambda: logic.get("/readyz"))
        assert status(logic, "connect") == status(logic, "store") == 200, logic.get("/readyz")
        assert status(comet) == 200, comet.get("/readyz")
        with imgo.TcpClient(comet.tcp) as client:
            client.auth(cluster.api.token(4712), timeout=10)
    finally:
        cluster.bus.resume()
    for daemon in cluster.daemons():
        wait_for(daemon.ready, 40, lambda: f"{daemon.name}: {daemon.get('/readyz')}")


def test_a_router_that_does_not_answer(cluster):
    """Its lease is there for some seconds yet: logic knows by its stream."""
    logic, router = cluster.logics[0], cluster.routers[0]
    router.pause()
    try:
        cluster.api.push(4713, "x")
        wait_for(lambda: "router: not ready: no router" in logic.get("/readyz")[1], 10, lambda: logic.get("/readyz"))
        assert status(logic, "push") == 503
    finally:
        router.resume()
    for daemon in cluster.daemons():
        wait_for(daemon.ready, 40, lambda: f"{daemon.name}: {daemon.get('/readyz')}")
