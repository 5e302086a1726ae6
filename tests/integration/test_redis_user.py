"""imc as an ACL user of Redis: the rights that docs/redis.md lists are enough, and a missing one is named."""
import re
import shlex
import subprocess

import pytest

from cluster import ROOT, Cluster, wait_for
from imgo import body_of
from traffic import QUICK

pytestmark = pytest.mark.long


def cli(port, *args):
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, args)], capture_output=True, text=True, timeout=10,
                          check=True).stdout.strip()


@pytest.fixture
def as_user(monkeypatch, make_cluster):
    """A cluster whose daemons are the user "imc", who has the documented rights."""
    text = (ROOT / "docs" / "redis.md").read_text().replace("\\\n", " ")
    rights = shlex.split(re.search(r"^ +redis-cli ACL SETUSER (.*)$", text, re.M).group(1).replace("PASSWORD", "secret"))
    start_redis = Cluster._start_redis

    def with_user(self):
        start_redis(self)
        wait_for(lambda: subprocess.run(["redis-cli", "-p", str(self.redis_port), "ping"], capture_output=True,
                                        check=False).returncode == 0, what="Redis")
        assert cli(self.redis_port, "acl", "setuser", *rights) == "OK"
        for kind in ("LOGIC", "ROUTER", "COMET", "JOB"):
            self.extra[f"IMC_{kind}_REDIS_USER"] = "imc"
            self.extra[f"IMC_{kind}_REDIS_PASSWORD"] = "secret"
    monkeypatch.setattr(Cluster, "_start_redis", with_user)
    return make_cluster


def test_the_documented_rights_are_enough(as_user, connect, uids):
    cluster = as_user(env={**QUICK, "IMC_LOGIC_MAILBOX_LIMIT": "3"})
    away, here = uids(2)
    token = cluster.api.token(away)
    client = connect(cluster.comets[0], cluster.api.token(here))
    for number in range(5):
        cluster.api.push(away, str(number), id=f"key-{away}-{number}", ttl=60)
    wait_for(lambda: cluster.mailbox(away) == 3, what="the mailbox to be cut")
    cluster.api.push(here, "1")
    assert client.push() == body_of(client, "1")
    assert cluster.api.waiting(away, token, mid=1) == [b"2", b"3", b"4"]
    back = connect(cluster.comets[0], token)
    assert back.pushes(3) == [body_of(back, t) for t in "234"]
    wait_for(lambda: cluster.mailbox(away) == 0, what="the confirmation")
    cluster.api.ok("POST", "/1/admin/token/del", token=token)
    log = cli(cluster.redis_port, "acl", "log")
    assert log == "", log


def test_a_missing_right_is_named(as_user, uid):
    cluster = as_user(env=QUICK)
    logic = cluster.logics[0]
    cli(cluster.redis_port, "acl", "setuser", "imc", "-getdel")
    error = cluster.api.refused(65535, "POST", "/1/admin/token/del", status=503, uid=uid)
    assert "NOPERM" in error and "getdel" in error, error
    status, text = logic.get("/readyz")
    assert status == 503 and re.search("redis_write: not ready: .*NOPERM.*getdel.*redis.user", text), text
    assert re.search("NOPERM.*getdel", logic.log())
    cli(cluster.redis_port, "acl", "setuser", "imc", "+getdel")
    wait_for(logic.ready, 20, lambda: logic.get("/readyz"), 0.2)


def test_a_right_that_a_script_lacks_is_named(as_user, uid):
    """Redis up to 7.0 says the script's line only."""
    cluster = as_user(env=QUICK)
    logic, job = cluster.logics[0], cluster.jobs[0]
    cli(cluster.redis_port, "acl", "setuser", "imc", "-zadd")
    cluster.api.push(uid, "for somebody who is away")
    for daemon, condition in ((logic, "redis_write"), (job, "storing")):
        wait_for(lambda: re.search(f"{condition}: not ready: .*'zadd'.*redis.user", daemon.get("/readyz")[1]), 10,
                 lambda: f"{daemon.name} to name zadd: {daemon.get('/readyz')}")
    cli(cluster.redis_port, "acl", "setuser", "imc", "+zadd")
    wait_for(lambda: cluster.mailbox(uid) == 1, 20, "the message")
    cluster.wait_ready()
