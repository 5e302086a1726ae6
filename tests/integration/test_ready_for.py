"""What is away makes a daemon unready only for what needs it: /readyz?for=push, connect or store, and what they say is so."""
import time

import pytest

import cluster as cluster_module
import imgo
from cluster import SLOW, free_port, wait_for

pytestmark = pytest.mark.long


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
        comet = cluster.comets[0]
        wait_for(lambda: "logic: not ready: no logic can let sessions in" in comet.get("/readyz")[1], 5,
                 lambda: comet.get("/readyz"))
        assert (status(comet, "connect"), status(comet, "push")) == (503, 200)
    finally:
        router.resume()
    for daemon in cluster.daemons():
        wait_for(daemon.ready, 40, lambda: f"{daemon.name}: {daemon.get('/readyz')}")


def test_no_job(make_cluster):
    """Pushes are refused then, and readiness says so, also that of a logic that has never heard of a job."""
    cluster = make_cluster(jobs=0, env={"IMC_LOGIC_PUSH_MAX_LAG": "6s"})
    logic = cluster.logics[0]
    wait_for(lambda: "jobs: not ready: no job has reported" in logic.get("/readyz")[1], 10, lambda: logic.get("/readyz"))
    assert status(logic, "push") == 503 and status(logic, "connect") == status(logic, "store") == 200
    assert cluster.api.call("POST", "/1/push", "x", uid=1)[0] == 503
    cluster._daemon("job", 1)
    wait_for(logic.ready, 20, lambda: logic.get("/readyz"))
    cluster.api.push(1, "x")


def test_jobs_that_do_not_reach_a_comet(make_cluster):
    """It would take sessions that get nothing: a wrong rpc.advertise, a firewall."""
    cluster = make_cluster()
    env = {f"IMC_COMET_{way}_LISTEN": f"127.0.0.1:{free_port()}" for way in ("TCP", "WS")}
    deaf = cluster._daemon("comet", 9, IMC_COMET_RPC_ADVERTISE=f"127.0.0.1:{free_port()}", **env)
    wait_for(lambda: "job: not ready: 0 of 1 jobs are connected" in deaf.get("/readyz")[1], 20, lambda: deaf.get("/readyz"))
    assert status(deaf, "connect") == status(deaf, "push") == 503
    assert deaf.metrics()["imc_comet_job_streams"] == 0
    comet = cluster.comets[0]
    assert comet.ready() and comet.metrics()["imc_comet_job_streams"] == 1


def test_a_logic_that_lacks_something_is_not_asked(make_cluster, uids):
    """One of two logics has lost Redis: sessions come in by the other one, all of them."""
    cluster = make_cluster()
    cluster.redis_cli("acl", "setuser", "second", "on", ">secret", "~*", "&*", "+@all")
    cluster.env |= {"IMC_LOGIC_REDIS_USER": "second", "IMC_LOGIC_REDIS_PASSWORD": "secret"}
    second = cluster.add_logic()
    cluster.wait_ready()
    comet = cluster.comets[0]
    cluster.redis_cli("acl", "setuser", "second", "off")
    cluster.redis_cli("client", "kill", "user", "second")
    wait_for(lambda: status(second, "connect") == 503, 10, lambda: second.get("/readyz"))
    wait_for(lambda: "logic is not ready" in comet.log(), 5, "comet to know")
    time.sleep(0.3 * SLOW)  # each loop hears of it by a stream of its own, and only the first one says so
    for uid in uids(20):
        with imgo.TcpClient(comet.tcp) as client:
            client.auth(cluster.api.token(uid), timeout=10)
    assert status(comet) == 200, comet.get("/readyz")
    cluster.redis_cli("acl", "setuser", "second", "on")
    wait_for(second.ready, 20, lambda: second.get("/readyz"))
