"""Idle connections to one port take the descriptors of no other, and when there are none at all, what was deaf hears again."""
import contextlib
import http.client
import resource
import shutil
import socket

import pytest

import cluster as cluster_module
from cluster import wait_for
from hostile import garble

pytestmark = pytest.mark.long

LIMIT = 1024


@pytest.fixture(scope="module")
def cluster(bus):
    # So that idle connections do not leave by themselves before anybody has looked.
    cluster = cluster_module.Cluster(bus, env={"IMC_LOGIC_API_HEADER_TIMEOUT": "60s"}).wait_ready()
    yield cluster
    cluster.stop()


@contextlib.contextmanager
def idle(port, n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    try:
        for _ in range(n):
            sock = socket.socket()
            held.append(sock)
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield held
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hears(daemon):
    return garble(daemon.rpc, "/nothing")[1].startswith("closed unimplemented")


def answers(logic):
    """On a connection of its own, which must not be one that gave way."""
    connection = http.client.HTTPConnection("127.0.0.1", logic.http, timeout=5)
    try:
        connection.request("GET", "/1/count?type=server")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def low_limit(cluster):
    """logic as a supervisor starts it that allows little: 64 files, 1,024 if it asks."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit (util-linux) is not here")
    logic = cluster.logics[0]
    argv = logic.argv
    logic.kill9()
    logic.argv = ["prlimit", f"--nofile=64:{LIMIT}", *argv]
    logic.start()
    cluster.wait_ready()
    yield logic
    logic.kill9()
    logic.argv = argv
    logic.start()
    cluster.wait_ready()


def test_the_limit_is_raised(low_limit):
    assert low_limit.metrics()["process_max_fds"] == LIMIT


@pytest.mark.parametrize("port", ["http", "admin", "rpc"])
def test_idle_connections_to_one_port(low_limit, port):
    """More than there are descriptors; all three ports go on."""
    with idle(getattr(low_limit, port), 1200):
        wait_for(lambda: hears(low_limit), 15, "logic's gRPC to answer")
        wait_for(lambda: answers(low_limit), 15, "logic's API to answer")
        wait_for(lambda: low_limit.get("/readyz")[0] == 200, 15, lambda: low_limit.get("/readyz"))
        # The largest share is that of http, a quarter.
        assert low_limit.metrics()["process_open_fds"] < LIMIT // 2
    wait_for(lambda: hears(low_limit), 15, "logic's gRPC to answer")


@pytest.mark.parametrize("kind", ["logic", "comet", "router"])
def test_without_any_descriptor_it_is_deaf_and_says_so(cluster, kind):
    """The limit falls below what is open: nothing can be accepted for a while, and readiness shows it."""
    daemon = next(daemon for daemon in cluster.daemons() if daemon.kind == kind)
    wait_for(lambda: hears(daemon), 10, "its gRPC to answer")
    before = resource.prlimit(daemon.popen.pid, resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", daemon.admin)) as page:
        page.settimeout(10)

        def ready():
            page.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return page.recv(65536).decode()

        assert " 200 " in ready()
        resource.prlimit(daemon.popen.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            wait_for(lambda: "rpc: not ready: its own gRPC port does not answer" in ready(), 15, ready)
        finally:
            resource.prlimit(daemon.popen.pid, resource.RLIMIT_NOFILE, before)
        wait_for(lambda: "rpc: ok" in ready(), 15, ready)
    wait_for(lambda: hears(daemon), 10, "its gRPC to answer again")
    cluster.wait_ready()
