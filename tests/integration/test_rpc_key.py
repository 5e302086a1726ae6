"""rpc.key_file: daemons show each other a secret; and rpc.listen, which is open to other machines only if daemons know
each other."""
import subprocess

import pytest

from certificates import for_all, hang_up, restart
from cluster import BUILD, free_port, wait_for
from imgo import TcpClient, body_of

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY + "\n", encoding="ascii")
    return path


def push_works(cluster, uid):
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
    client.close()


def test_only_who_has_the_key_is_let_in(make_cluster, key_file, tmp_path, uid):
    cluster = make_cluster(env=for_all(RPC_KEY_FILE=str(key_file)))
    comet, job = cluster.comets[0], cluster.jobs[0]
    push_works(cluster, uid)
    (tmp_path / "other").write_text(KEY[::-1], encoding="ascii")
    for wrong in ("", str(tmp_path / "other")):
        before, at = comet.metrics()["imc_rpc_strangers_refused_total"], len(comet.log())
        restart(job, RPC_KEY_FILE=wrong)
        wait_for(lambda: "unauthenticated: the key is missing or wrong: see rpc.key_file" in job.log(), 20,
                 lambda: f"job to say so:\n{job.log()[-2000:]}")
        wait_for(lambda a=at: "stream without the key refused peer=ipv4:127.0.0.1:" in comet.log()[a:], 5, "comet to say so")
        assert comet.metrics()["imc_rpc_strangers_refused_total"] > before
        assert comet.ready()
    restart(job, RPC_KEY_FILE=str(key_file))
    cluster.wait_ready()
    push_works(cluster, uid)
    for daemon in cluster.daemons():
        assert KEY not in daemon.log() and KEY[::-1] not in daemon.log()
        assert KEY not in daemon.get("/config")[1]


def test_a_new_key_by_sighup(make_cluster, key_file, uid):
    cluster = make_cluster(env=for_all(RPC_KEY_FILE=str(key_file)))
    key_file.write_text("f" * 40, encoding="ascii")
    for daemon in cluster.daemons():
        hang_up(daemon)
    for daemon in cluster.daemons():
        wait_for(lambda d=daemon: "reloaded what=rpc" in d.log(), 10, f"{daemon.name} to reload")
    push_works(cluster, uid)  # streams that are open go on
    cluster.jobs[0].kill9()
    cluster.jobs[0].start()
    cluster.wait_ready()
    push_works(cluster, uid)
    key_file.write_text("short", encoding="ascii")
    hang_up(cluster.comets[0])
    wait_for(lambda: "cannot reload what=rpc" in cluster.comets[0].log(), 10, "comet to refuse the key")
    push_works(cluster, uid)


def start(settings):
    """What router says before it ends."""
    env = {"IMC_ROUTER_ADMIN_LISTEN": "127.0.0.1:0", "IMC_ROUTER_REDIS_SERVERS": f"127.0.0.1:{free_port()}", **settings}
    done = subprocess.run([str(BUILD / "router" / "imc-router")], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("key", ["Xy0Xy0Xy", "with a space in the middle of it", "x" * 4097], ids=("short", "space", "long"))
def test_a_key_that_is_none(key_file, key):
    key_file.write_text(key, encoding="ascii")
    said = start({"IMC_ROUTER_RPC_KEY_FILE": str(key_file)})
    assert "rpc.key_file" in said and "to be one line" in said or "longer than" in said, said
    assert key not in said
    assert "cannot read" in start({"IMC_ROUTER_RPC_KEY_FILE": str(key_file) + ".missing"})


def test_open_to_other_machines_only_with_a_guard(make_cluster, key_file, uid):
    said = start({"IMC_ROUTER_RPC_LISTEN": "0.0.0.0:0"})
    for way in ("rpc.tls = mutual", "rpc.key_file", "rpc.insecure = yes", "127.0.0.1"):
        assert way in said, said
    assert "tls.certificate" in start({"IMC_ROUTER_RPC_TLS": "mutual"})
    assert "want off, on or mutual" in start({"IMC_ROUTER_RPC_TLS": "yes"})
    everywhere = {f"IMC_{kind}_RPC_LISTEN": "0.0.0.0:0" for kind in ("COMET", "LOGIC", "ROUTER")}
    push_works(make_cluster(env={**everywhere, **for_all(RPC_KEY_FILE=str(key_file))}), uid)
    insecure = make_cluster(env={**everywhere, **for_all(RPC_INSECURE="yes")})
    assert "open to other machines rpc.listen=0.0.0.0:0" in insecure.routers[0].log()
