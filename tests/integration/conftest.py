"""Fixtures. Files named test_*.py hold one behaviour each; `connect` runs each test by TCP and by WebSocket JSON."""
import contextlib
import os

import pytest

import cluster as cluster_module
import goim
import imgo


def pytest_addoption(parser):
    parser.addoption("--bus", default=os.environ.get("IMC_TEST_BUS", "kafka"), choices=("kafka", "devbus"))


def pytest_configure(config):
    config.addinivalue_line("markers", "long: of files that mostly wait, for leases and sessions to lapse and for Kafka: make test-long")


@pytest.fixture(scope="session")
def bus(request):
    """A real Kafka node (or the devbus with --bus devbus), shared by all clusters of the run."""
    with cluster_module.own_bus(request.config.getoption("--bus")) as bus:
        yield bus


@pytest.fixture(scope="module")
def own_kafka(request):
    """own_kafka(PROPERTIES) is a Kafka of a file's own, to do anything with."""
    if request.config.getoption("--bus") != "kafka":
        pytest.skip("of a real Kafka")
    with contextlib.ExitStack() as stack:
        yield lambda properties="": stack.enter_context(cluster_module.own_bus("kafka", properties))


@pytest.fixture(scope="session")
def shared(bus):
    """One of each daemon, for tests that break nothing."""
    cluster = cluster_module.Cluster(bus).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def strict(bus):
    """Like shared, with short deadlines, low limits, and keys for the API."""
    cluster = cluster_module.Cluster(bus, key="key-one", env={
        "IMC_COMET_CONN_HANDSHAKE_TIMEOUT": "1s",
        "IMC_COMET_LOGIC_CONNECT_TIMEOUT": "1s",
        "IMC_COMET_CONN_HEARTBEAT": "1s",
        "IMC_LOGIC_SESSIONS_MAX_PER_UID": "3",
        "IMC_LOGIC_MAILBOX_TTL": "2s",
        "IMC_LOGIC_API_KEYS": "key-one,key-two",
        "IMC_LOGIC_API_ORIGINS": "https://chat.example,https://other.example",
    }).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def make_cluster(bus):
    """Clusters of a test's own: make_cluster(comets=2, env={...})."""
    made = []

    def make(**kwargs):
        made.append(cluster_module.Cluster(bus, **kwargs).wait_ready())
        return made[-1]

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture(scope="module")
def own_cluster(bus):
    """One cluster for all tests of a file, which may break it: own_cluster(comets=2, ...) gives it whole again."""
    made = []

    def give(**kwargs):
        if made:
            try:
                return made[-1].heal()
            except AssertionError:
                with contextlib.suppress(AssertionError):
                    made.pop().stop()
                raise
        made.append(cluster_module.Cluster(bus, **kwargs).wait_ready())
        return made[-1]

    yield give
    for cluster in made:
        cluster.stop()


_next_uid = [10_000_000 + os.getpid() * 1000]


@pytest.fixture
def uid():
    """A user nobody else in this run is."""
    _next_uid[0] += 1
    return _next_uid[0]


@pytest.fixture
def uids():
    def give(n):
        _next_uid[0] += n
        return list(range(_next_uid[0] - n + 1, _next_uid[0] + 1))
    return give


@pytest.fixture(params=["tcp", "ws"])
def connect(request):
    """connect(comet) opens a connection, connect(comet, token) a session, by TCP and by WebSocket JSON."""
    opened = []

    def open_client(comet, token=None, **kwargs):
        kind = imgo.TcpClient if request.param == "tcp" else imgo.WsClient
        client = kind(comet.tcp if request.param == "tcp" else comet.ws, **kwargs)
        opened.append(client)
        return client.auth(token) if token else client

    open_client.transport = request.param
    yield open_client
    for client in opened:
        client.close()


@pytest.fixture(params=["tcp", "ws", "goim-tcp", "goim-ws"])
def member(request):
    """member(comet, token) is a session of one of the four wire forms."""
    opened = []

    def open_client(comet, token):
        kinds = {"tcp": imgo.TcpClient, "ws": imgo.WsClient, "goim-tcp": goim.TcpClient, "goim-ws": goim.WsClient}
        client = kinds[request.param](comet.ws if request.param.endswith("ws") else comet.tcp)
        opened.append(client)
        if request.param.startswith("goim"):
            client.auth(token=token)
        else:
            client.auth(token)
        return client

    yield open_client
    for client in opened:
        client.close()
