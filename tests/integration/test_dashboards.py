"""Each expression of the dashboards and of the recording rules has a value in a real Prometheus that scrapes a real cluster
under load, and the alert for a daemon that is gone sees one."""
import re
import sys
import threading

import pytest

import acked
import certificates
import prometheus
from cluster import ROOT, wait_for
from imgo import TcpClient, WsClient

sys.path.append(str(ROOT / "scripts"))
import dashboards  # noqa: E402 pylint: disable=wrong-import-position

pytestmark = pytest.mark.long

RATE = "[5s]"  # ten scrapes


def load(cluster, ended):
    """Something of everything that a dashboard shows, again and again."""
    api, comet, turn = cluster.api, cluster.comets[0], 0
    with TcpClient(comet.tcp).auth(api.token(921, room="live")) as one, \
            acked.connect(comet, "json", api.token(922)) as two:
        while not ended.wait(0.05):
            turn += 1
            api.push(921, "to one")
            api.push(922, "to be acknowledged")
            acked.acknowledge(two)
            api.push_room("live", "to a room")
            api.push_all("to all")
            api.push(923, "waits")
            wait_for(lambda: cluster.mailbox(923) == 1, what="the message to be stored")
            with WsClient(comet.ws).auth(api.token(923)) as three:
                three.push(10)
                wait_for(lambda: cluster.mailbox(923) == 0, what="the message to be confirmed")
            one.pushes(3)
            api.call("GET", "/1/count", type="server")


@pytest.fixture(scope="module")
def scraped(own_cluster, tmp_path_factory):
    prometheus.need("prometheus")
    shown = certificates.Authority(tmp_path_factory.mktemp("tls")).settings()
    cluster = own_cluster(env={f"IMC_COMET_{key}": value for key, value in shown.items()})
    ended, failures = threading.Event(), []

    def run():
        try:
            load(cluster, ended)
        except Exception as failure:  # shown by the fixture's end  pylint: disable=broad-exception-caught
            failures.append(failure)
    with prometheus.scraping(cluster) as server:
        thread = threading.Thread(target=run)
        thread.start()
        yield cluster, server
        ended.set()
        thread.join()
    assert not failures, failures


def in_grafana(expression):
    return expression.replace("[$__rate_interval]", RATE).replace("$instance", ".*")


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_no_panel_is_empty(scraped, name):
    _, server = scraped
    of_it = [(title, in_grafana(text)) for board, title, text in dashboards.expressions() if board == name]
    for title, text in of_it:
        wait_for(lambda: server.values(text), 15, f"panel {title}: {text}", 0.2)


def test_recording_rules_have_values(scraped):
    _, server = scraped
    names = re.findall(r"record: (\S+)", (prometheus.RULES / "recording.yml").read_text())
    assert names
    for name in names:
        wait_for(lambda: server.values(name), 15, name, 0.2)


def test_alerts_see_a_dead_daemon(scraped):
    """Each rule is evaluated without an error."""
    cluster, server = scraped
    groups = server.ask("/api/v1/rules", type="alert")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert len(rules) > 20
    assert {rule["health"] for rule in rules.values()} == {"ok"}, rules
    assert rules["ImcDaemonDown"]["state"] == "inactive"
    job = cluster.jobs[0]
    job.pause()
    try:
        wait_for(lambda: 0 in server.values("up"), 15, "Prometheus to miss job")
        wait_for(lambda: any(alert["labels"]["alertname"] == "ImcDaemonDown" for alert in
                             server.ask("/api/v1/alerts")["alerts"]), 15, "ImcDaemonDown to be pending", 0.2)
    finally:
        job.resume()
