"""Messages that are read late are told of, also if each fetch brings all there is."""
import concurrent.futures
import time

import pytest

from cluster import wait_for
from imgo import TcpClient

pytestmark = pytest.mark.long

LATE = 2.0


def pause_job(cluster, bus):
    cluster.jobs[0].pause()
    return cluster.jobs[0].resume


def pause_bus(cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus is not to be paused")
    bus.pause()
    return bus.resume


@pytest.mark.parametrize("pause", [pause_job, pause_bus])
def test_after_a_stand_still_it_is_told_how_late_messages_are(make_cluster, bus, uid, pause):
    cluster = make_cluster()
    job, logic, api = cluster.jobs[0], cluster.logics[0], cluster.api
    client = TcpClient(cluster.comets[0].tcp).auth(api.token(uid))
    api.push(uid, "0")
    assert client.push(10) == b"0"
    resume = pause(cluster, bus)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pushed = pool.submit(api.push, uid, "1")
            begin = time.monotonic()
            wait_for(lambda: time.monotonic() - begin > LATE, 2 * LATE, "the message to be late")
            resume()
            late = LATE - 0.1
            wait_for(lambda: logic.metrics()["imc_logic_backlog_lag_seconds"] >= late, 5, "logic to know", every=0.01)
            pushed.result()
    finally:
        resume()
    assert client.push(10) == b"1"
    for daemon, name in (job, "imc_job_lag_seconds"), (logic, "imc_logic_backlog_lag_seconds"):
        wait_for(lambda: daemon.metrics()[name] < late, 5, f"{daemon.name} to tell that it is over")
    client.close()


def test_without_a_job_pushes_are_refused_in_the_end(make_cluster, uid):
    cluster = make_cluster(env={"IMC_LOGIC_PUSH_MAX_LAG": "6s"})
    job, api = cluster.jobs[0], cluster.api
    client = TcpClient(cluster.comets[0].tcp).auth(api.token(uid))
    api.push(uid, "0")  # a job is there, and logic has heard of it
    assert client.push() == b"0"
    job.kill9()
    accepted = []

    def refused():
        text = str(len(accepted) + 1)
        status, answer = api.call("POST", "/1/push", text, uid=uid)
        if status == 200:
            accepted.append(text.encode())
        return status == 503 and "no job has reported for" in str(answer)
    wait_for(refused, 20, "a refusal", every=0.2)
    job.start()
    assert client.pushes(len(accepted), 30) == accepted
    wait_for(lambda: api.call("POST", "/1/push", "last", uid=uid)[0] == 200, 30, "pushes to be taken again")
    assert client.push() == b"last"
    client.close()
