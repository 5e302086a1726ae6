"""Redis over TLS, as an ACL user with the documented rights; and what is said when the two do not understand each other."""
import re
import shlex
import subprocess

import pytest

from certificates import Authority, for_all, hang_up, restart
from cluster import ROOT, Cluster, Process, free_port, wait_for
from imgo import TcpClient, body_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.pair("127.0.0.1", "expired", "--expired")
    authority.pair("redis.test", "named")
    return authority


def files(authority, stem="server", clients="yes"):
    """Redis's own arguments."""
    return ["--tls-cert-file", authority.path(f"{stem}.pem"), "--tls-key-file", authority.path(f"{stem}-key.pem"),
            "--tls-ca-cert-file", authority.ca, "--tls-auth-clients", clients]


@pytest.fixture
def secured(monkeypatch, make_cluster, authority):
    """secured(ARGUMENTS, settings): a cluster whose Redis has a TLS port, which daemons use. The test itself uses the plain
    one."""
    start = Cluster._redis_on

    def with_tls(arguments, **settings):
        port = free_port()

        def redis_on(self, plain, name):
            redis = start(self, plain, name)
            redis.kill9()
            redis.argv += ["--tls-port", str(port), *arguments]
            redis.start()
            redis.tls_port = port
            return redis
        monkeypatch.setattr(Cluster, "_redis_on", redis_on)
        return make_cluster(env=for_all(REDIS_SERVERS=f"127.0.0.1:{port}", REDIS_TLS="yes", REDIS_CA=authority.ca, **settings))
    return with_tls


def shown(authority):
    return {"REDIS_CERTIFICATE": authority.path("client.pem"), "REDIS_KEY": authority.path("client-key.pem")}


def cli(port, *args):
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, args)], capture_output=True, text=True, timeout=10,
                          check=True).stdout.strip()


def works(cluster, uid):
    """A push to who is away, then to who is there."""
    token = cluster.api.token(uid)
    cluster.api.push(uid, "waits")
    wait_for(lambda: cluster.mailbox(uid) == 1, 20, "the message to wait")
    client = TcpClient(cluster.comets[0].tcp).auth(token)
    assert client.push() == body_of(client, "waits")
    cluster.api.push(uid, "comes")
    assert client.push() == body_of(client, "comes")
    client.close()


def test_with_certificates_of_both_and_the_least_rights(secured, authority, uid, tmp_path):
    text = (ROOT / "docs" / "redis.md").read_text().replace("\\\n", " ")
    rights = re.search(r"^ +redis-cli ACL SETUSER (.*)$", text, re.M).group(1).replace("PASSWORD", "secret")
    acl = tmp_path / "users.acl"
    acl.write_text("user default on nopass ~* &* +@all\nuser " + " ".join(shlex.split(rights)) + "\n", encoding="ascii")
    cluster = secured([*files(authority), "--aclfile", str(acl)], REDIS_USER="imc", REDIS_PASSWORD="secret", **shown(authority))
    works(cluster, uid)
    assert cli(cluster.redis_port, "acl", "log") == ""
    clients = [line for line in cli(cluster.redis_port, "client", "list").splitlines() if "user=imc" in line]
    assert clients and all(f"laddr=127.0.0.1:{cluster.redis.tls_port}" in line for line in clients), clients


def test_a_restart_and_a_renewed_certificate(secured, authority, uid):
    cluster = secured(files(authority, clients="no"))
    works(cluster, uid)
    cluster.redis.kill9()
    wait_for(lambda: all("redis: not ready" in daemon.get("/readyz")[1] for daemon in cluster.daemons()), 20, "all to miss Redis")
    authority.renew()
    for daemon in cluster.daemons():
        hang_up(daemon)
    cluster.redis.start()
    cluster.wait_ready()
    works(cluster, uid)


def test_one_name(secured, authority, uid):
    works(secured(files(authority, "named", "no"), REDIS_TLS_NAME="redis.test"), uid)


def test_what_does_not_fit_is_said(secured, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    cluster = secured(files(authority), **shown(authority))
    router, plain = cluster.routers[0], cluster.redis_port
    before = dict(router.env)
    cases = [({"REDIS_CA": stranger.ca}, "unknown CA"),
             ({"REDIS_CERTIFICATE": "", "REDIS_KEY": ""}, "certificate required"),
             ({"REDIS_CERTIFICATE": authority.path("expired.pem"), "REDIS_KEY": authority.path("expired-key.pem")}, "expired"),
             ({"REDIS_TLS_NAME": "other.test"}, "another name"),
             ({"REDIS_SERVERS": f"127.0.0.1:{plain}"}, "redis.tls"),
             ({"REDIS_TLS": "no", "REDIS_CA": "", "REDIS_CERTIFICATE": "", "REDIS_KEY": ""}, "does it want TLS")]
    for settings, says in cases:
        restart(router, **settings)
        wait_for(lambda: re.search(f"redis: not ready: .*127.0.0.1:.*{says}", router.get("/readyz")[1]), 20,  # pylint: disable=cell-var-from-loop
                 lambda: f"{settings} to be explained by {says}: {router.get('/readyz')}\n{router.log()[-2000:]}")  # pylint: disable=cell-var-from-loop
        router.kill9()
        router.env = dict(before)
    router.start()
    cluster.wait_ready()


def test_sentinels_too(authority, make_cluster, tmp_path, uid):
    """The same TLS with Sentinels and with the primary that they name."""
    port, sentinel_port = free_port(), free_port()
    processes = []
    for name, argv in (
            ("primary", ["redis-server", "--port", "0", "--tls-port", str(port), "--dir", str(tmp_path), "--save", ""]),
            ("sentinel", ["redis-server", str(tmp_path / "sentinel.conf"), "--sentinel", "--port", "0", "--tls-port",
                          str(sentinel_port), "--tls-replication", "yes"])):
        (tmp_path / "sentinel.conf").write_text(f"sentinel monitor imc 127.0.0.1 {port} 1\n", encoding="ascii")
        processes.append(Process(name, [*argv, *files(authority, clients="no")], {}, tmp_path))
    try:
        cluster = make_cluster(env=for_all(REDIS_SENTINELS=f"127.0.0.1:{sentinel_port}", REDIS_MASTER="imc", REDIS_TLS="yes",
                                           REDIS_CA=authority.ca))
        client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
        cluster.api.push(uid, "comes")
        assert client.push() == body_of(client, "comes")
        client.close()
    finally:
        for process in processes:
            process.kill9()
