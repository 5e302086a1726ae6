"""The receiver of docs/webhooks.md works as it stands there."""
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import cluster as cluster_module
import imgo
import webhook
from cluster import ROOT, free_port, wait_for


@pytest.fixture
def receiver(tmp_path):
    """Its port, the key's file, and what it has printed."""
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.S)
    port = free_port()
    assert text.count("8000") == 1
    (tmp_path / "receiver.py").write_text(text.replace("8000", str(port)))
    key = webhook.key_file(tmp_path / "webhook.key", webhook.key())
    with open(tmp_path / "log", "wb") as log, \
            subprocess.Popen([sys.executable, "receiver.py"], cwd=tmp_path, stdout=log, stderr=log) as server:
        try:
            wait_for(lambda: listens(port))
            yield port, key, (tmp_path / "log").read_text
        finally:
            server.kill()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_example(bus, receiver, uid):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    port, key, printed = receiver
    log = f"{bus.topic()}-sessions"
    env = {"IMC_JOB_EVENTS_URL": f"http://127.0.0.1:{port}/events", "IMC_JOB_EVENTS_URL_SECRET_FILE": key,
           "IMC_JOB_EVENTS_LOG": log, "IMC_LOGIC_EVENTS_LOG": log, "IMC_JOB_EVENTS_GROUP": f"{log}-group",
           "IMC_LOGIC_UPSTREAM_URL": f"http://127.0.0.1:{port}/upstream", "IMC_LOGIC_UPSTREAM_URL_SECRET_FILE": key}
    cluster = cluster_module.Cluster(bus, env=env).wait_ready()
    try:
        with imgo.WsClient(cluster.comets[0].ws).auth(cluster.api.token(uid)) as client:
            for number in (1, 2):
                client.send(4, {"any": "thing"}, 7)
                assert client.recv().body == {"number": number}
        wait_for(lambda: f"disconnected.v1 {uid}" in printed(), what="the events to be told")
        assert len(re.findall(rf"io.imc.upstream.v1 {uid} ", printed())) == 2
    finally:
        cluster.stop()


def test_what_is_not_signed_is_refused(receiver):
    for headers in ({}, {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x"}):
        request = urllib.request.Request(f"http://127.0.0.1:{receiver[0]}/events", b"[]", headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)  # pylint: disable=consider-using-with
        assert refused.value.code == 401
