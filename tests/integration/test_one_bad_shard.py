"""Of two Redis shards one takes no writes: what waits for users of the other is stored as if nothing were. What has to wait
waits in order and without loss, and is stored when the shard is back."""
import socket
import subprocess
import time

import pytest

from cluster import SLOW, wait_for
from imgo import TcpClient
from traffic import QUICK

WINDOW = 256
ENV = QUICK | {"IMC_JOB_SETTLE_WINDOW": str(WINDOW), "IMC_LOGIC_REDIS_TIMEOUT": "500ms", "IMC_JOB_REDIS_TIMEOUT": "500ms"}
USERS, ROUNDS = 300, 5  # of each shard


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(env=ENV, redises=2)


def cli(redis, *args):
    return subprocess.run(["redis-cli", "-p", str(redis.port), *map(str, args)], capture_output=True, text=True, timeout=10,
                          check=True).stdout.strip()


def waiting(redis, users):
    """How many messages wait for each of USERS on this shard."""
    with socket.create_connection(("127.0.0.1", redis.port), 10) as sock:
        sock.sendall("".join(f"zcard imc:mb:{uid}\r\n" for uid in users).encode())
        lines = sock.makefile()
        return [int(lines.readline()[1:]) for _ in users]


def users_of(cluster, uids, n):
    """N users of each shard, and that a mailbox of each works."""
    users = uids(4 * n)
    cluster.api.pushs(users, -1)
    cluster.settled(30)
    at = [[uid for uid, there in zip(users, waiting(redis, users)) if there == 1][:n] for redis in cluster.shards]
    assert [len(some) for some in at] == [n, n]
    return at


def token_on(cluster, redis, uid):
    """A token of UID that is kept on that shard."""
    while True:
        token = cluster.api.token(uid)
        if cli(redis, "keys", f"*{token}*"):
            return token


class Frozen:
    words = "no answer"

    def begin(self, redis):
        redis.pause()

    def end(self, redis):
        redis.resume()


class Full:
    words = "OOM"

    def begin(self, redis):
        cli(redis, "config", "set", "maxmemory", "1")

    def end(self, redis):
        cli(redis, "config", "set", "maxmemory", "0")


class Away:
    words = "refused"

    def begin(self, redis):
        redis.kill9()

    def end(self, redis):
        redis.start()


@pytest.mark.parametrize("bad", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("how", [Frozen(), Full(), Away()], ids=lambda how: type(how).__name__)
def test_the_other_shard_goes_on(cluster, uids, how, bad):
    at = users_of(cluster, uids, USERS)
    bad_users, good_users = at[bad], at[1 - bad]
    bad_redis, good_redis = cluster.shards[bad], cluster.shards[1 - bad]
    witness = good_users[-1]
    token = token_on(cluster, good_redis, witness)
    bad_token = cluster.api.token(bad_users[-1])
    job = cluster.jobs[0]
    how.begin(bad_redis)
    try:
        begin = time.monotonic()
        for number in range(ROUNDS):
            cluster.api.pushs([uid for pair in zip(bad_users, good_users) for uid in pair], number)
            wait_for(lambda n=number + 2: waiting(good_redis, good_users) == [n] * USERS, 10,
                     f"round {number} to be stored on the good shard")
            took = time.monotonic() - begin
            # The first time, somebody has to find out that the shard does not answer.
            assert took < (3 if number == 0 else 1) * SLOW, f"round {number} took {took:.1f} s"
            begin = time.monotonic()
        client = TcpClient(cluster.comets[0].tcp).auth(token)
        assert [int(client.push(5)) for _ in range(ROUNDS + 1)] == list(range(-1, ROUNDS))
        client.close()
        assert cluster.sum("job", "imc_job_parked_messages") >= USERS * ROUNDS - WINDOW
        wait_for(lambda: job.metrics()["imc_job_storing_stalled"] == 1, 15, "job to tell that storing stands still")
        status, text = job.get("/readyz")
        assert status == 503 and "storing stands still" in text
        assert f":{bad_redis.port}" in text.split("storing stands still")[1] and how.words in text
    finally:
        how.end(bad_redis)
    cluster.settled(30)
    assert waiting(bad_redis, bad_users) == [ROUNDS + 1] * USERS
    wait_for(job.ready, 15, "job to be ready again")
    client = TcpClient(cluster.comets[0].tcp).auth(bad_token)
    assert [int(client.push(5)) for _ in range(ROUNDS + 1)] == list(range(-1, ROUNDS))
    client.close()
    assert cluster.sum("job", "imc_job_parked_lost_total") == 0
