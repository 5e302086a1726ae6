"""A log that began anew and outgrew what the group had read while no job ran. Where the next job would go on there is a
message, so Kafka finds nothing wrong; but it is another one. Everything accepted arrives all the same."""
import shutil

import pytest

import cluster as cluster_module
from cluster import SLOW, wait_for
from imgo import TcpClient, body_of

pytestmark = pytest.mark.long

PARTITIONS = 4


@pytest.fixture(scope="module")
def bus(own_kafka):
    return own_kafka()  # to be wiped and restarted


@pytest.fixture
def cluster(bus):
    # Its job is ended while Kafka starts anew, which may take half a minute: pushes are to be taken all the same.
    cluster = cluster_module.Cluster(bus, env={"IMC_LOGIC_PUSH_MAX_LAG": "5m"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def clients(cluster, uids):
    clients = {uid: TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)) for uid in uids(20)}
    yield clients
    for client in clients.values():
        client.close()


def push_to_all(cluster, uids, bodies):
    """Until each is accepted: without its topic, or without a broker, logic refuses."""
    for body in bodies:
        for uid in uids:
            wait_for(lambda uid=uid, body=body: cluster.api.call("POST", "/1/push", body, uid=uid) == (200, {"ret": 1}), 60,
                     f"a push to be accepted; {cluster.logics[0].log()[-2000:]}", 0.1)


def came(clients, bodies):
    """All of BODIES and nothing else, in order, at every client."""
    for client in clients.values():
        assert client.pushes(len(bodies), 30 * SLOW) == [body_of(client, body) for body in bodies]
    for client in clients.values():
        client.nothing(0.01)


def group_offsets(bus, cluster):
    """{partition: what the group has read}, as Kafka has it."""
    table = bus.tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", cluster.topic, "--offsets")
    rows = [line.split() for line in table.splitlines() if cluster.topic in line]
    return {int(row[2]): int(row[3]) for row in rows if row[3].isdigit()}


def lose_the_partitions_data(bus, cluster):
    """Of this topic only; what the group had read stays."""
    bus.process.kill9()
    for partition in range(PARTITIONS):
        shutil.rmtree(bus.directory / "data" / f"{cluster.topic}-{partition}")
    bus.run_kafka("data")


def make_the_topic_anew(bus, cluster):
    bus.topic_tool("delete", cluster.topic)
    bus.topic_tool("create", cluster.topic, PARTITIONS)


def kill(job):
    job.kill9()


def end(job):
    job.term()


@pytest.mark.parametrize("lose", [lose_the_partitions_data, make_the_topic_anew])
@pytest.mark.parametrize("stop", [kill, end])
def test_nothing_is_skipped(bus, cluster, clients, stop, lose):
    before = [f"before {n}" for n in range(3)]
    after = [f"after {n}" for n in range(9)]
    push_to_all(cluster, clients, before)
    came(clients, before)
    # Every partition has had messages, and their offsets are committed.
    wait_for(lambda: sum(group_offsets(bus, cluster).values()) >= len(before) * len(clients), 20, "commits", 0.5)
    stop(cluster.jobs[0])
    lose(bus, cluster)
    push_to_all(cluster, clients, after)
    offsets = group_offsets(bus, cluster)
    cluster.jobs[0].start()
    came(clients, after)
    print(f"the group stood at {offsets}")
    assert cluster.sum("job", "imc_job_log_restarts_total") == sum(1 for offset in offsets.values() if offset > 0)
    assert "partition has another log" in cluster.jobs[0].log() or not offsets


@pytest.mark.parametrize("stop", [kill, end])
def test_the_same_log_is_gone_on_with(bus, cluster, clients, stop):
    """Messages that came while no job ran are taken for what they are."""
    push_to_all(cluster, clients, ["first"])
    came(clients, ["first"])
    wait_for(lambda: sum(group_offsets(bus, cluster).values()) >= len(clients), 20, "commits", 0.5)
    stop(cluster.jobs[0])
    push_to_all(cluster, clients, ["second"])
    cluster.jobs[0].start()
    came(clients, ["second"])
    assert cluster.sum("job", "imc_job_log_restarts_total") == 0
