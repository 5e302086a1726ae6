"""Redis fails over: a Sentinel promotes the replica, imc follows it and takes pushes again."""
import subprocess

import pytest

from cluster import Process, free_port, wait_for
from imgo import body_of
from traffic import QUICK

pytestmark = pytest.mark.long


def cli(port, *args):
    """Its words, or "" while nobody listens there."""
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, args)], capture_output=True, text=True, timeout=10,
                          check=False).stdout


class Failover:
    """A replica of CLUSTER's Redis, and a Sentinel over both."""

    def __init__(self, directory, port):
        self.primary, self.replica, self.sentinel = port, free_port(), free_port()
        for name in ("replica", "sentinel"):
            (directory / name).mkdir()
        self.processes = [Process("replica", ["redis-server", "--port", str(self.replica), "--bind", "127.0.0.1", "--dir",
                                              str(directory / "replica"), "--replicaof", "127.0.0.1", str(port),
                                              "--repl-diskless-sync-delay", "0"], {}, directory)]
        conf = directory / "sentinel" / "sentinel.conf"
        conf.write_text(f"port {self.sentinel}\nbind 127.0.0.1\ndir {conf.parent}\nsentinel monitor imc 127.0.0.1 {port} 1\n"
                        "sentinel down-after-milliseconds imc 1000\nsentinel failover-timeout imc 3000\n")
        self.processes.append(Process("sentinel", ["redis-server", str(conf), "--sentinel"], {}, directory))

    def replicated(self):
        return "master_link_status:up" in cli(self.replica, "info", "replication") and \
            "num-slaves\n1" in cli(self.sentinel, "sentinel", "master", "imc")

    def promoted(self):
        return "role:master" in cli(self.replica, "info", "replication")

    def stop(self):
        for process in self.processes:
            process.kill9()


@pytest.fixture
def failover(tmp_path):
    made = []

    def make(port):
        made.append(Failover(tmp_path, port))
        return made[-1]
    yield make
    for each in made:
        each.stop()


@pytest.mark.parametrize("how", ["the primary dies", "the primary lives on as a replica"])
def test_imc_follows_the_new_primary(failover, make_cluster, connect, uids, monkeypatch, how):
    from cluster import Cluster
    start_redis, made = Cluster._start_redis, []

    def with_replica(self):
        start_redis(self)
        wait_for(lambda: "PONG" in cli(self.redis_port, "ping"), what="Redis")
        made.append(failover(self.redis_port))
        for kind in ("LOGIC", "ROUTER", "COMET", "JOB"):
            self.extra[f"IMC_{kind}_REDIS_SENTINELS"] = f"127.0.0.1:1, 127.0.0.1:{made[0].sentinel}"
            self.extra[f"IMC_{kind}_REDIS_MASTER"] = "imc"
            self.extra[f"IMC_{kind}_REDIS_SERVERS"] = "127.0.0.1:1"  # not used
    monkeypatch.setattr(Cluster, "_start_redis", with_replica)
    cluster = make_cluster(env=QUICK)
    wait_for(made[0].replicated, 20, "the replica to be seen", 0.1)
    here, away = uids(2)
    tokens = {uid: cluster.api.token(uid) for uid in (here, away)}
    client = connect(cluster.comets[0], tokens[here])
    cluster.api.push(away, "1")
    wait_for(lambda: cluster.mailbox(away) == 1, what="the message in the mailbox")
    wait_for(lambda: cli(made[0].replica, "zcard", f"imc:mb:{away}").strip() == "1", what="its copy")

    if how == "the primary dies":
        cluster.redis.kill9()
    else:
        cli(made[0].sentinel, "sentinel", "failover", "imc")
    wait_for(made[0].promoted, 20, "the Sentinel to promote the replica", 0.1)
    if how != "the primary dies":  # what it is given until it knows is lost with Redis's own failover
        wait_for(lambda: "role:slave" in cli(cluster.redis_port, "info", "replication"), 20, "the old primary to know", 0.1)
        wait_for(lambda: all(d.log().count("ready condition=redis ") > 1 for d in cluster.daemons()), 20,
                 lambda: "\n".join(f"{d.name}: {d.log()[-1000:]}" for d in cluster.daemons()), 0.1)
    cluster.api.pushs([here, away], 2)
    assert client.push() == body_of(client, "2")
    wait_for(lambda: all(daemon.ready() for daemon in cluster.daemons()), 20,
             lambda: "\n".join(f"{d.name}: {d.get('/readyz')}" for d in cluster.daemons()), 0.1)
    cluster.api.token(uids(1)[0])
    wait_for(lambda: cli(made[0].replica, "zcard", f"imc:mb:{away}").strip() == "2", 20, "the second message")
    back = connect(cluster.comets[0], tokens[away])
    assert back.pushes(2) == [body_of(back, t) for t in "12"]
