"""Addresses that lead nowhere, and names that lead to several: what is advertised can be reached, who reaches no logic says so, and
"localhost" is all of it."""
import os
import shutil
import socket
import subprocess

import pytest

from cluster import ROOT, wait_for  # noqa: F401
from imgo import TcpClient, body_of

HIDDEN = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', "nowhere.invalid"]


@pytest.fixture
def hidden(monkeypatch):
    """Daemons that are started run on a host whose name does not resolve."""
    if shutil.which("unshare") is None or subprocess.run([*HIDDEN, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no right to make a UTS namespace")
    import cluster as module
    plain = module.Process.start

    def start(self):
        argv = self.argv
        if isinstance(self, module.Daemon):
            self.argv = [*HIDDEN, *argv]
        plain(self)
        self.argv = argv
    monkeypatch.setattr(module.Process, "start", start)


def test_a_host_whose_name_does_not_resolve(hidden, make_cluster, uid):
    """All listen on all addresses and advertise by default."""
    env = {f"IMC_{kind}_{key}": value for kind in ("COMET", "LOGIC", "ROUTER")
           for key, value in (("RPC_LISTEN", "0.0.0.0:0"), ("RPC_INSECURE", "yes"))}
    cluster = make_cluster(env=env)
    assert "host name does not lead here" in cluster.logics[0].log()
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
    client.close()


def test_who_reaches_no_logic_is_not_ready(make_cluster):
    """It is a member, and of no use."""
    cluster = make_cluster()
    comet, job, logic = cluster.comets[0], cluster.jobs[0], cluster.logics[0]
    logic.kill9()
    logic.env["IMC_LOGIC_RPC_ADVERTISE"] = "127.0.0.1:1"
    logic.start()
    for daemon, use in ((comet, "connect"), (job, "store")):
        wait_for(lambda d=daemon: "logic: not ready: no logic can be reached" in d.get("/readyz")[1], 15,
                 lambda d=daemon: f"{d.name} to say so: {d.get('/readyz')}")
        assert daemon.get(f"/readyz?for={use}")[0] == 503
        assert daemon.get("/readyz?for=push")[0] == 200, daemon.get("/readyz")
    logic.kill9()
    del logic.env["IMC_LOGIC_RPC_ADVERTISE"]
    logic.start()
    wait_for(lambda: comet.ready() and job.ready(), 15,
             lambda: "both to be ready again: " + str([d.get("/readyz") for d in (comet, job, logic)]))


def test_localhost_is_all_of_it(make_cluster, uid):
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}
    env = {}
    cluster = make_cluster(env=env)
    from cluster import free_port
    ports = {name: free_port() for name in ("tcp", "ws", "rpc", "api")}
    comet = cluster._daemon("comet", 9, IMC_COMET_TCP_LISTEN=f"localhost:{ports['tcp']}", IMC_COMET_WS_LISTEN=f"localhost:{ports['ws']}",
                            IMC_COMET_RPC_LISTEN=f"localhost:{ports['rpc']}")
    logic = cluster._daemon("logic", 9, IMC_LOGIC_API_LISTEN=f"localhost:{ports['api']}")
    wait_for(lambda: comet.ready() and logic.ready(), 20, "both to be ready")
    for address in addresses:
        for name, port in ports.items():
            try:
                socket.create_connection((address, port), 5).close()
            except OSError as error:
                raise AssertionError(f"{name} does not listen on [{address}]:{port}") from error
