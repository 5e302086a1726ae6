"""Redis takes no writes, or is away: whoever is there is served on, what has to be stored waits, in order and without loss;
readiness, log and metrics say so, and pushes to users who are away are refused before too much waits."""
import json
import signal
import socket

import pytest

from cluster import wait_for
from imgo import TcpClient, body_of
from traffic import QUICK

pytestmark = pytest.mark.long

WINDOW, PARKED = 64, 6000
ENV = QUICK | {"IMC_JOB_SETTLE_WINDOW": str(WINDOW), "IMC_JOB_SETTLE_PARKED": str(PARKED),
               "IMC_JOB_JOB_WINDOW": "200", "IMC_LOGIC_REDIS_TIMEOUT": "500ms", "IMC_JOB_REDIS_TIMEOUT": "500ms"}


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(env=ENV)


class Full:
    words = "OOM"

    def begin(self, cluster):
        cluster.redis_cli("config", "set", "maxmemory", "1")

    def end(self, cluster):
        cluster.redis_cli("config", "set", "maxmemory", "0")


class ReadOnly:
    words = "READONLY"

    def begin(self, cluster):
        cluster.redis_cli("replicaof", "127.0.0.1", "1")

    def end(self, cluster):
        cluster.redis_cli("replicaof", "no", "one")


class Away:
    words = "Redis"

    def begin(self, cluster):
        cluster.redis.kill9()

    def end(self, cluster):
        cluster.redis.start()


def parked(cluster):
    return cluster.sum("job", "imc_job_parked_messages")


@pytest.mark.parametrize("how", [Full(), ReadOnly(), Away()], ids=lambda how: type(how).__name__)
def test_who_is_there_is_served_on(cluster, uids, how):
    here, *away = uids(400)
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(here, room=f"room-{here}"))
    how.begin(cluster)
    try:
        cluster.api.pushs(away, "kept")
        cluster.api.push(here, "1")
        cluster.api.push_room(f"room-{here}", '"2"')
        assert {client.push(10).strip(b'"') for _ in range(2)} == {b"1", b"2"}
        job, logic = cluster.jobs[0], cluster.logics[0]
        wait_for(lambda: job.metrics()["imc_job_storing_stalled"] == 1, 15, "job to tell that storing stands still")
        assert parked(cluster) >= len(away) - WINDOW
        wait_for(lambda: logic.metrics()["imc_logic_storing_stalled"] == 1, 5, "logic to know")
        status, text = job.get("/readyz")
        assert status == 503 and "storing stands still" in text and how.words in text
        assert "storing stands still" in job.log() and how.words in job.log()
    finally:
        how.end(cluster)
    cluster.settled(30)
    assert [cluster.mailbox(uid) for uid in away] == [1] * len(away)
    wait_for(job.ready, 15, "job to be ready again")


@pytest.mark.parametrize("how", [Full(), ReadOnly(), Away()], ids=lambda how: type(how).__name__)
def test_who_was_slow_is_served_when_he_reads_again(cluster, uid, how):
    """What he did not take could not be stored either, so it is with job, and comes once his socket has drained."""
    client = TcpClient(cluster.comets[0].tcp, rcvbuf=4096).auth(cluster.api.token(uid))
    failed = cluster.sum("comet", "imc_comet_spill_failed_total")
    how.begin(cluster)
    try:
        pushed = 0
        while cluster.sum("comet", "imc_comet_spill_failed_total") == failed:
            assert pushed < 1000, "the kernel takes all of it"
            cluster.api.push(uid, f"{pushed}:" + "x" * 60000)
            pushed += 1
        for _ in range(20):
            cluster.api.push(uid, f"{pushed}:" + "x" * 60000)
            pushed += 1
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert [int(client.push(20).split(b":")[0]) for _ in range(pushed)] == list(range(pushed))
    finally:
        how.end(cluster)
    client.close()
    cluster.settled(30)


def test_who_comes_meanwhile_is_served(cluster, connect, uids):
    """Tokens and mailboxes can be read: users come in, also those of whom something could not be stored before."""
    new, moving = uids(2)
    tokens = {uid: cluster.api.token(uid) for uid in (new, moving)}
    before = connect(cluster.comets[0], tokens[moving])
    cluster.api.push(moving, "0")
    assert before.push() == body_of(before, "0")
    full = Full()
    full.begin(cluster)
    try:
        assert before.leave() == []  # comet has read of it
        for number in range(1, 6):
            cluster.api.pushs([new, moving], number)
        clients = [connect(cluster.comets[0], tokens[uid]) for uid in (new, moving)]
        for number in range(6, 9):
            cluster.api.pushs([new, moving], number)
        for client in clients:
            assert client.pushes(8, 10) == [body_of(client, str(n)) for n in range(1, 9)]
        assert cluster.sum("job", "imc_job_diverted_total") > 0
    finally:
        full.end(cluster)
    cluster.settled(30)
    assert [cluster.mailbox(uid) for uid in (new, moving)] == [0, 0]


def test_pushes_to_the_absent_are_refused_before_too_much_waits(cluster, uids):
    here, *away = uids(6000)
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(here))
    full = Full()
    full.begin(cluster)
    try:
        cluster.api.pushs(away[:5500], "kept")
        wait_for(lambda: cluster.logics[0].metrics()["imc_logic_backlog_ratio"] >= 0.8, 10, "the backlog to be known")
        status, text, headers = cluster.api.request("POST", "/1/pushs", json.dumps({"u": [here, away[-1]], "m": "no"}))
        answer = json.loads(text)
        assert (status, answer["ret"]) == (503, 65535) and headers["Retry-After"] == "5"
        assert "push.max_backlog" in answer["error"]
        assert cluster.logics[0].metrics()['imc_logic_refused_total{reason="backlog"}'] == 1
        cluster.api.pushs([here], "yes")
        assert client.push(5) == b'"yes"'
    finally:
        full.end(cluster)
    cluster.settled(30)
    assert [cluster.mailbox(uid) for uid in away[:5500]] == [1] * 5500
    assert cluster.mailbox(away[-1]) == 0
    wait_for(lambda: cluster.api.call("POST", "/1/push", "again", uid=away[-1])[0] == 200, 10, "pushes to be taken again")


def test_a_user_whose_messages_wait_comes_online(cluster, connect, uids):
    """While a crowd that is away is stored, so that his newest are sent or poked while older ones wait."""
    uid, *crowd = uids(1000)
    token = cluster.api.token(uid)
    pushed = 0
    while parked(cluster) < 500:
        assert pushed < 1000
        cluster.api.pushs(crowd, "x")
        cluster.api.push(uid, str(pushed))
        pushed += 1
    client = connect(cluster.comets[0], token)
    for _ in range(50):
        cluster.api.push(uid, str(pushed))
        pushed += 1
    assert [int(client.push(20)) for _ in range(pushed)] == list(range(pushed))
    cluster.settled(30)


def test_job_dies_while_messages_wait(cluster, bus, uids):
    if bus.kind != "kafka":
        pytest.skip("the devbus takes long to put a group together again")
    away = uids(500)
    full = Full()
    full.begin(cluster)
    try:
        for n in range(2):
            cluster.api.pushs(away, n)
        wait_for(lambda: parked(cluster) > 500, 10, "messages to be put off")
        cluster.jobs[0].kill9()
    finally:
        full.end(cluster)
    cluster.jobs[0].start()
    wait_for(lambda: all(cluster.mailbox(uid) == 2 for uid in away), 30, "everything to be stored")
    wait_for(lambda: parked(cluster) + cluster.sum("job", "imc_job_unresolved") == 0, 10, "nothing to wait")


def test_partitions_move_while_messages_wait(cluster, bus, uids):
    if bus.kind != "kafka":
        pytest.skip("the devbus takes long to put a group together again")
    away = uids(500)
    full = Full()
    full.begin(cluster)
    other = None
    try:
        cluster.api.pushs(away, 1)
        wait_for(lambda: parked(cluster) > 300, 10, "messages to be put off")
        full.end(cluster)  # a job needs a lease
        cluster.redis.popen.send_signal(signal.SIGSTOP)
        other = cluster._daemon("job", 2)
    finally:
        cluster.redis.popen.send_signal(signal.SIGCONT)
        full.end(cluster)
    cluster.jobs.append(other)
    wait_for(lambda: other.metrics().get("imc_job_partitions") == 2, 20, "the new job to have its share")
    cluster.api.pushs(away, 2)
    wait_for(lambda: all(cluster.mailbox(uid) == 2 for uid in away), 30, "everything to be stored")
    wait_for(lambda: parked(cluster) + cluster.sum("job", "imc_job_unresolved") == 0, 10, "nothing to wait")
