"""What /metrics says: promtool finds nothing to complain about, OpenMetrics for those who ask, and times that are those of
what really happened."""
import collections
import re
import time

import pytest

import acked
import prometheus
from cluster import wait_for
from imgo import TcpClient, WsClient

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture(scope="module")
def busy(own_cluster):
    """A cluster in which each thing that is timed has happened."""
    cluster = own_cluster()
    api, comet = cluster.api, cluster.comets[0]
    api.push(902, "waits")
    wait_for(lambda: cluster.mailbox(902) == 1, what="the message to be stored")
    with TcpClient(comet.tcp).auth(api.token(901, room="live")) as one, WsClient(comet.ws).auth(api.token(902)) as two, \
            acked.connect(comet, "json", api.token(903)) as three:
        assert two.push(10) == "waits"
        api.push(901, "to one")
        api.push(903, "to be acknowledged")
        acked.acknowledge(three)
        api.push_room("live", "to a room")
        api.push_all("to all")
        assert one.pushes(3) and two.push(10)
        api.call("GET", "/no/such/path")
        wait_for(lambda: cluster.sum("comet", "imc_comet_acknowledged_total") >= 1, what="the acknowledgement")
        yield cluster


def timed(daemon, name, labels=""):
    """(how often, seconds) of a histogram."""
    values, labels = daemon.metrics(), f"{{{labels}}}" if labels else ""
    return values.get(f"{name}_count{labels}", 0), values.get(f"{name}_sum{labels}", 0)


@pytest.mark.parametrize("kind", ("comet", "logic", "router", "job"))
def test_promtool_finds_nothing(busy, kind):
    prometheus.need("promtool")
    daemon = busy.living(kind)[0]
    assert prometheus.lint(daemon.get("/metrics")[1]) == ""


@pytest.mark.parametrize("kind", ("comet", "logic", "router", "job"))
def test_the_start_time_stays(busy, kind):
    """The alert ImcRestarting counts its changes."""
    daemon = busy.living(kind)[0]
    told = set()
    for n in range(20):
        told.add(daemon.metrics()["process_start_time_seconds"])
        time.sleep(n / 3000)
    assert len(told) == 1 and abs(told.pop() - time.time()) < 3600


@pytest.mark.parametrize("kind, name, labels", (
    ("logic", "imc_logic_accept_seconds", 'kind="uid"'),
    ("logic", "imc_logic_accept_seconds", 'kind="room"'),
    ("logic", "imc_logic_accept_seconds", 'kind="all"'),
    ("logic", "imc_bus_produce_seconds", ""),
    ("logic", "imc_logic_http_request_duration_seconds", 'route="/1/push",method="POST",code="2xx"'),
    ("logic", "imc_logic_http_request_duration_seconds", 'route="other",method="",code="4xx"'),
    ("logic", "imc_rpc_batch_seconds", 'call="map"'),
    ("comet", "imc_rpc_batch_seconds", 'call="sessions"'),
    ("job", "imc_rpc_batch_seconds", 'call="push"'),
    ("job", "imc_rpc_batch_seconds", 'call="settle"'),
    ("comet", "imc_comet_connect_seconds", 'result="admitted"'),
    ("comet", "imc_comet_walk_seconds", 'to="room"'),
    ("comet", "imc_comet_walk_seconds", 'to="all"'),
    ("comet", "imc_delivery_seconds", 'kind="uid",until="written"'),
    ("comet", "imc_delivery_seconds", 'kind="room",until="written"'),
    ("comet", "imc_delivery_seconds", 'kind="all",until="written"'),
    ("comet", "imc_delivery_seconds", 'kind="waiting",until="written"'),
    ("comet", "imc_delivery_seconds", 'kind="uid",until="acknowledged"'),
    *((kind, name, "") for kind in ("comet", "logic", "router", "job")
      for name in ("imc_loop_lag_seconds", "imc_redis_command_seconds")),
))
def test_times_are_plausible(busy, kind, name, labels):
    count, seconds = timed(busy.living(kind)[0], name, labels)
    assert count >= 1
    assert 0 <= seconds < 60 * count  # no clock was mistaken for another one


def test_each_push_is_observed_once(busy):
    api, logic, comet = busy.api, busy.logics[0], busy.comets[0]
    watched = ((logic, "imc_logic_accept_seconds", 'kind="uid"'), (logic, "imc_bus_produce_seconds", ""),
               (comet, "imc_delivery_seconds", 'kind="uid",until="written"'))
    before = [timed(*each)[0] for each in watched]
    with TcpClient(comet.tcp).auth(api.token(911)) as client:
        for i in range(5):
            api.push(911, str(i))
        client.pushes(5)
        wait_for(lambda: [timed(*each)[0] for each in watched] == [n + 5 for n in before], 5, "the times of 5 pushes")


@pytest.mark.parametrize("kind", ("comet", "logic", "router", "job"))
def test_openmetrics_for_those_who_ask(busy, kind):
    daemon = busy.living(kind)[0]
    plain, page = daemon.get("/metrics")[1], daemon.get("/metrics", headers={"Accept": OPENMETRICS})[1]
    assert "# EOF" not in plain and "# TYPE process_cpu_seconds_total counter" in plain
    assert page.endswith("\n# EOF\n") and "# TYPE process_cpu_seconds counter" in page
    assert "# TYPE imc_build info" in page and "\nimc_build_info{" in page
    families = re.findall(r"^# TYPE (\S+)", page, re.M)
    assert [name for name, n in collections.Counter(families).items() if n > 1] == []  # strict readers refuse it


def test_readiness_and_partitions(busy):
    values = busy.logics[0].metrics()
    assert [values[f'imc_ready{{use="{use}"}}'] for use in ("push", "connect", "store")] == [1, 1, 1]
    assert values['imc_condition{condition="bus"}'] == 1
    busy.job_reads().settled()
    job = busy.jobs[0]
    wait_for(lambda: [job.metrics()[f'imc_job_partition_lag{{partition="{n}"}}'] for n in range(4)] == [0] * 4, 5,
             "no partition to be behind")
