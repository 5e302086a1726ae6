"""gRPC between daemons with TLS: who has a good certificate works as without, anybody else is refused by name."""
import pytest

from certificates import Authority, for_all, hang_up, restart
from cluster import wait_for
from imgo import TcpClient, body_of
from traffic import Traffic


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.pair("127.0.0.1", "expired", "--expired")
    authority.pair("elsewhere.test", "elsewhere")
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Another CA: nobody believes it."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def cluster(own_cluster, authority):
    return own_cluster(env=for_all(RPC_TLS="mutual", **authority.settings()))


def push_works(cluster, uid):
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
    client.close()


def failed(daemon, end):
    return daemon.metrics().get(f'imc_tls_handshakes_total{{end="{end}",name="rpc",result="failed"}}', 0)


def test_a_push_with_mutual_tls(cluster, uid):
    push_works(cluster, uid)
    for daemon in (cluster.comets[0], cluster.logics[0], cluster.routers[0]):
        assert daemon.metrics()['imc_tls_handshakes_total{end="server",name="rpc",result="full"}'] >= 1


def test_a_push_with_tls_without_certificates_of_callers(make_cluster, authority, uid):
    job = {"IMC_JOB_TLS_CERTIFICATE": "", "IMC_JOB_TLS_KEY": ""}  # it only calls
    push_works(make_cluster(env={**for_all(RPC_TLS="on", **authority.settings()), **job}), uid)


def test_one_name_for_all(make_cluster, authority, uid):
    push_works(make_cluster(env=for_all(RPC_TLS="mutual", RPC_TLS_NAME="elsewhere.test",
                                        **authority.settings("elsewhere"))), uid)


@pytest.fixture
def odd_job(cluster):
    """odd_job(SETTINGS): job with others than the rest, until the test ends."""
    job = cluster.jobs[0]
    before = dict(job.env)
    yield lambda **settings: (restart(job, **settings), job)[1]
    job.kill9()
    job.env = before
    job.start()
    cluster.wait_ready()


# what job has, what it says, what comet and logic say of it
ODD = {
    "a certificate of another CA": (lambda ours, theirs: theirs.settings(ca=ours.ca),
                                    "the peer refuses: unknown CA", "unknown CA: see tls.ca"),
    "another CA": (lambda ours, theirs: ours.settings(ca=theirs.ca),
                   "not believed: unknown CA: see tls.ca", "the peer refuses: unknown CA"),
    "an expired certificate": (lambda ours, _: ours.settings("expired"),
                               "the peer refuses: certificate expired", "certificate has expired"),
    "no certificate": (lambda ours, _: {"RPC_TLS": "on", "TLS_CERTIFICATE": "", "TLS_KEY": "", "TLS_CA": ours.ca},
                       "the peer refuses: certificate required", "the peer showed no certificate"),
    "another name": (lambda ours, _: {"RPC_TLS_NAME": "other.test"}, "for another name", "the peer refuses"),
    "no TLS": (lambda *_: {"RPC_TLS": "off"}, "rpc.tls is off here", "rpc.tls is off there"),
}


@pytest.mark.parametrize("case", ODD)
def test_who_is_refused_is_told_and_nobody_else_suffers(cluster, odd_job, authority, stranger, uid, case):
    settings, says, they_say = ODD[case]
    comet, logic = cluster.comets[0], cluster.logics[0]
    client = TcpClient(comet.tcp).auth(cluster.api.token(uid))
    before = failed(comet, "server")
    len_before = len(comet.log())
    job = odd_job(**settings(authority, stranger))
    wait_for(lambda: says in job.log(), 20, lambda: f"job to say {says}:\n{job.log()[-2000:]}")
    peer = [line for line in job.log().splitlines() if says in line][0]
    assert f"peer=127.0.0.1:{comet.rpc}" in peer or f"peer=127.0.0.1:{logic.rpc}" in peer
    wait_for(lambda: they_say in comet.log()[len_before:], 10,
             lambda: f"comet to say {they_say}:\n{comet.log()[len_before:]}")
    assert "peer=ipv4:127.0.0.1:" in comet.log()[len_before:]
    assert failed(comet, "server") > before
    for daemon in (comet, logic):
        assert "rpc: ok" in daemon.get("/readyz")[1]
    client.send(2)
    assert client.recv_op(3)
    client.close()


def test_a_caller_with_tls_and_a_callee_without(cluster, odd_job, authority):
    """The other way round: here the callee is odd."""
    router = cluster.routers[0]
    before = dict(router.env)
    restart(router, RPC_TLS="off")
    logic = cluster.logics[0]
    try:
        wait_for(lambda: f"rpc peer without TLS peer=127.0.0.1:{router.rpc}" in logic.log(), 20,
                 lambda: f"logic to say it:\n{logic.log()[-2000:]}")
    finally:
        router.kill9()
        router.env = before
        router.start()
        cluster.wait_ready()


def test_certificates_are_renewed_while_pushes_flow(cluster, authority, connect, uids):
    users = uids(5)
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in users}
    streams = cluster.comets[0].metrics()["imc_rpc_accepted_total"]
    with Traffic([cluster.api], users, every=0.005) as traffic:
        traffic.go_on(100)
        authority.renew()
        for daemon in cluster.daemons():
            hang_up(daemon)
        for daemon in cluster.daemons():
            wait_for(lambda d=daemon: 'reloaded what=rpc' in d.log(), 10, f"{daemon.name} to reload")
        traffic.go_on(100)
        cluster.jobs[0].kill9()  # its successor meets the others with their new certificates
        cluster.jobs[0].start()
        cluster.wait_ready()
        traffic.go_on(100)
    assert not traffic.errors
    for uid, client in clients.items():
        traffic.received(uid, client)
    assert cluster.comets[0].metrics()["imc_rpc_accepted_total"] > streams
