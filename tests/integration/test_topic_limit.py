"""The topic takes less than librdkafka puts into a request, and less than a push may have."""
import concurrent.futures

import pytest

from cluster import wait_for

pytestmark = pytest.mark.long

LIMIT = 64 * 1024


@pytest.fixture
def limited_cluster(bus, make_cluster):
    def make(limit):
        if bus.kind != "kafka":
            pytest.skip("the devbus has no limits")
        limited = f"imc-test-{bus.topics + 1}"
        bus.tool("TopicCommand", "--create", "--topic", limited, "--partitions", "4", "--config", f"max.message.bytes={limit}")
        cluster = make_cluster(env={"IMC_LOGIC_PUSH_MAX_MESSAGE": "200k"})
        assert cluster.topic == limited
        return cluster
    return make


@pytest.fixture
def cluster(limited_cluster):
    return limited_cluster(LIMIT)


def push(cluster, uid, size):
    return cluster.api.call("POST", "/1/push", "x" * size, uid=uid)


def test_batches_fit_and_what_cannot_is_refused_by_itself(cluster, bus, uid):
    """200 of 4 kB go together, but not more of them than the topic takes; one too large harms nobody."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: push(cluster, uid, 4000), range(200)))
    assert answers == [(200, {"ret": 1})] * 200
    most = LIMIT - 640  # for the envelope and Kafka's own bytes
    assert push(cluster, uid, most) == (200, {"ret": 1})
    status, answer = push(cluster, uid, most + 1)
    assert (status, answer["ret"]) == (413, 65534) and str(most) in answer["error"], answer
    assert cluster.logics[0].ready()
    assert cluster.logics[0].metrics()['imc_logic_refused_total{reason="size"}'] == 1
    assert cluster.logics[0].metrics()["imc_logic_produce_failed_total"] == 0

    # The topic is changed while logic runs.
    bus.tool("ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", cluster.topic, "--add-config",
             f"max.message.bytes={4 * LIMIT}", package="kafka.admin")
    wait_for(lambda: push(cluster, uid, 2 * LIMIT)[0] == 200, 60, "the new limit to be seen", 0.5)
    assert cluster.logics[0].metrics()["imc_logic_produce_failed_total"] == 0


def test_a_topic_that_takes_no_envelope(limited_cluster, uid):
    """Every push is refused by itself, and with the figure; not put off."""
    cluster = limited_cluster(200)
    for size in (1, 100, 1000):
        status, answer = push(cluster, uid, size)
        assert (status, answer["ret"]) == (413, 65534) and "the bus takes 0 " in answer["error"], answer
    assert cluster.logics[0].ready()
