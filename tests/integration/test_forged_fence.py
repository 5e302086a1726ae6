"""A stranger who gets at comet's RPC port claims partitions with fences of its own: the real job asks Redis, outbids it and goes
on. Nothing that was accepted is lost, and job says while it does not read."""
import time

import pytest

from cluster import wait_for
from hostile import Fixed, garble, pb
from imgo import body_of

COMET = "/imc.v1.Comet/Push"
PARTITIONS = 4
DAY_MS = 86_400_000


@pytest.fixture
def cluster(own_cluster):
    return own_cluster()


def forge(cluster, fence):
    """A poke of nobody for each partition."""
    items = [(3, pb((1, 1), (2, partition), (3, Fixed(fence)))) for partition in range(PARTITIONS)]
    answers, end = garble(cluster.comets[0].rpc, COMET, pb((1, Fixed(1)), *items), answers=1)
    assert answers and end == "open", end


def push_to_all(cluster, clients, what):
    for uid in clients:
        cluster.api.push(uid, what)
    for client in clients.values():
        assert client.push(5) == body_of(client, what)


def unread(cluster):
    return cluster.jobs[0].metrics()["imc_job_partitions_unread"]


@pytest.mark.parametrize("fence", [2**64 - 1, 2**63, 2**53, "an hour ahead", "just below a day ahead"])
def test_the_real_job_goes_on(cluster, connect, uids, fence):
    ahead = {"an hour ahead": DAY_MS // 24, "just below a day ahead": DAY_MS - 2000}
    if fence in ahead:
        fence = time.time_ns() // 1_000_000 + ahead[fence]
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in uids(20)}
    push_to_all(cluster, clients, "before")
    forge(cluster, fence)
    push_to_all(cluster, clients, "after")
    wait_for(lambda: unread(cluster) == 0, 5, "every partition to be read")
    assert cluster.jobs[0].ready()
    for client in clients.values():
        client.nothing(0.01)


def test_a_fence_that_cannot_be_is_counted_and_not_remembered(cluster, connect, uid):
    comet = cluster.comets[0]
    client = connect(comet, cluster.api.token(uid))
    before = comet.metrics()["imc_comet_fences_implausible_total"]
    refused = cluster.jobs[0].metrics()["imc_job_refused_total"]
    forge(cluster, 2**64 - 1)
    push_to_all(cluster, {uid: client}, "not even noticed")
    assert comet.metrics()["imc_comet_fences_implausible_total"] == before + PARTITIONS
    assert cluster.jobs[0].metrics()["imc_job_refused_total"] == refused


def test_a_number_in_redis_that_nobody_took_is_survived(cluster, connect, uids):
    """As if there were a later owner, but the group goes on to say that the partitions are ours."""
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in uids(20)}
    later = time.time_ns() // 1_000_000 + DAY_MS - 1000  # above all that tests before this one left
    for partition in range(PARTITIONS):
        cluster.redis_cli("set", f"imc:fence:{cluster.topic}:{partition}", later)
    forge(cluster, later)
    for uid in clients:
        cluster.api.push(uid, "late")
    wait_for(lambda: unread(cluster) > 0 and not cluster.jobs[0].ready(), 5, "job to say that it reads nothing")
    assert "partitions: not ready" in cluster.jobs[0].get("/readyz")[1]
    for client in clients.values():
        assert client.push(20) == body_of(client, "late")
    wait_for(lambda: unread(cluster) == 0 and cluster.jobs[0].ready(), 5, "job to be ready again")
