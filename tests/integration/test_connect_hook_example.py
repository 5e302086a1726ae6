"""The server of docs/auth.md works as it stands there."""
import contextlib
import re
import socket
import subprocess
import sys

import pytest

import cluster as cluster_module
import imgo
from cluster import ROOT, free_port, wait_for


@pytest.fixture
def port(tmp_path):
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "auth.md").read_text(), re.S)
    port = free_port()
    program = tmp_path / "who.py"
    assert text.count("8000") == 1
    program.write_text(text.replace("8000", str(port)))
    with open(tmp_path / "log", "wb") as log, subprocess.Popen([sys.executable, program], stdout=log, stderr=log) as server:
        try:
            wait_for(lambda: listens(port))
            yield port
        finally:
            server.kill()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_example(bus, port):
    cluster = cluster_module.Cluster(bus, env={"IMC_LOGIC_AUTH_URL": f"http://127.0.0.1:{port}/who"}).wait_ready()
    try:
        with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth("anna")) as client:
            cluster.api.push(1, "hello anna")
            assert client.push() == b"hello anna"
        client = imgo.TcpClient(cluster.comets[0].tcp)
        client.send_auth("carl")
        assert client.kicked(1) == "who are you?"
    finally:
        cluster.stop()
