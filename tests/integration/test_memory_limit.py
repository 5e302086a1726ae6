"""memory.limit: a daemon beyond it refuses what is new, says so, and goes on with what it has."""
import socket

import pytest

import imgo
from cluster import free_port, wait_for

TINY = "1m"  # nothing runs in it: short from the start


def says_so(daemon, refused):
    def unready():
        status, text = daemon.get("/readyz")
        return status == 503 and "memory: not ready: " in text and refused in text
    wait_for(unready, 10, lambda: f"{daemon.name} to say that memory is short: {daemon.get('/readyz')}")
    metrics = daemon.metrics()
    assert metrics["imc_memory_limit_bytes"] == 1 << 20
    assert metrics["imc_memory_level"] == 2
    assert metrics["imc_memory_shortages_total"] == 1


def test_a_budget_is_found_and_told(shared):
    for daemon in shared.daemons():
        metrics = daemon.metrics()
        assert metrics["imc_memory_limit_bytes"] > metrics["process_resident_memory_bytes"] > 0
        assert "memory: ok" in daemon.get("/readyz")[1]


def test_a_logic_refuses_pushes(make_cluster, uid):
    cluster = make_cluster()
    port = free_port()
    logic = cluster._daemon("logic", 9, IMC_LOGIC_API_LISTEN=f"127.0.0.1:{port}", IMC_LOGIC_MEMORY_LIMIT=TINY)
    says_so(logic, "pushes")
    api = type(cluster.api)(port)
    status, text, headers = api.request("POST", f"/1/push?uid={uid}", b"hello")
    assert status == 503 and "short of memory" in text and headers["Retry-After"], (status, text, headers)
    assert logic.metrics()['imc_logic_refused_total{reason="memory"}'] == 1
    cluster.api.push(uid, "another logic takes it")


def test_a_comet_refuses_connections(make_cluster):
    cluster = make_cluster()
    tcp, ws = free_port(), free_port()
    comet = cluster._daemon("comet", 9, IMC_COMET_TCP_LISTEN=f"127.0.0.1:{tcp}", IMC_COMET_WS_LISTEN=f"127.0.0.1:{ws}",
                            IMC_COMET_MEMORY_LIMIT=TINY)
    says_so(comet, "connections")

    def refused(port):
        """True: taken and closed; False: nobody listens yet."""
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as s:
                return s.recv(1) == b""
        except ConnectionResetError:
            return True
        except ConnectionRefusedError:
            return False
    assert wait_for(lambda: refused(tcp), 10, "a refusal")
    assert refused(ws)
    assert comet.metrics()['imc_comet_refused_total{reason="memory"}'] >= 2


def test_a_router_refuses_sessions(make_cluster, uids):
    cluster = make_cluster()
    router = cluster._daemon("router", 9, IMC_ROUTER_MEMORY_LIMIT=TINY)
    says_so(router, "sessions")
    wait_for(lambda: cluster.logics[0].metrics()["imc_logic_routers"] == 2, 10, "logic to see both routers")
    admitted, refused = 0, 0
    for uid in uids(24):
        client = imgo.TcpClient(cluster.comets[0].tcp)
        client.send_auth(cluster.api.token(uid))
        try:
            assert client.recv(10).op == 8
            admitted += 1
        except imgo.Closed:
            assert client.reason["code"] == 12, client.reason
            refused += 1
    assert admitted and refused, (admitted, refused)
    assert router.metrics()["imc_router_no_memory_total"] >= refused


def test_a_job_reads_little_at_a_time(make_cluster, uid):
    """What the Kafka client has read ahead is given back only when it is taken: nothing read, nothing would ever change."""
    cluster = make_cluster(jobs=0)
    client = imgo.TcpClient(cluster.comets[0].tcp)
    client.auth(cluster.api.token(uid))
    body = "x" * 20000
    for number in range(1500):
        cluster.api.push(uid, f"{number}:{body}")
    job = cluster._daemon("job", 1, IMC_JOB_MEMORY_LIMIT=TINY)
    says_so(job, "reading far ahead")
    got = [int(client.push(20).split(b":")[0]) for _ in range(1500)]
    assert list(dict.fromkeys(got)) == list(range(1500))
    assert job.metrics()["imc_memory_level"] == 2
