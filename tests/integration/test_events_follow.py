"""Events as people look at them: GET /v1/events waits for them, imc events prints them, and nobody who looks on costs much."""
import json
import queue
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import events
from cli import BINARY, Imc
from cluster import SLOW, Api, wait_for
from imgo import TcpClient

FOLLOWERS = 3


@pytest.fixture(scope="module")
def cluster(bus):
    from cluster import Cluster
    env, topic = events.settings(bus)
    made = Cluster(bus, logics=2, env={**env, "IMC_LOGIC_EVENTS_TOPIC": topic,
                                       "IMC_LOGIC_EVENTS_FOLLOWERS": str(FOLLOWERS)}).wait_ready()
    yield made
    made.stop()


def ask(logic, **query):
    status, text, _ = Api(logic.http).request("GET", "/v1/events?" + urllib.parse.urlencode(query), timeout=40)
    assert status == 200, text
    return json.loads(text)


def newest(logic):
    """The place of now."""
    answer = wait_for(lambda: (answer := ask(logic, wait=20))["next"] != "recent" and answer, 20, "the feed")
    return answer["next"]


def here_and_gone(cluster, uid):
    TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)).close()


def collect(logic, place, n, **query):
    """(the first N events after PLACE, the place after them)"""
    found = []
    end = time.monotonic() + 40
    while len(found) < n and time.monotonic() < end:
        answer = ask(logic, after=place, wait=5, **query)
        assert not answer["gap"], answer
        found += answer["events"]
        place = answer["next"]
    return found, place


def kinds(found):
    return [events.kind(one) for one in found]


def test_who_waits_gets_what_happens_once_and_in_order(cluster, uids):
    one, other = uids(2)
    place = newest(cluster.logics[0])
    got = []
    waiter = threading.Thread(target=lambda: got.append(ask(cluster.logics[0], after=place, wait=25, uid=one)))
    waiter.start()
    here_and_gone(cluster, other)  # not for him
    here_and_gone(cluster, one)
    waiter.join(30)
    assert got[0]["events"][0]["subject"] == str(one) and kinds(got[0]["events"])[0] == "connected"
    assert got[0]["events"][0]["specversion"] == "1.0" and "why" not in got[0]
    found, after = collect(cluster.logics[0], place, 2, uid=one)
    assert kinds(found) == ["connected", "disconnected"]
    assert ask(cluster.logics[0], after=after, uid=one)["events"] == []
    ends, _ = collect(cluster.logics[0], place, 2, types="disconnected, expired")
    assert kinds(ends) == ["disconnected", "disconnected"] and {end["subject"] for end in ends} == {str(one), str(other)}
    first, after = collect(cluster.logics[0], place, 1, limit=1)
    more, _ = collect(cluster.logics[0], after, 3, limit=1)
    assert len({event["id"] for event in first + more}) == 4


def test_a_logic_that_nobody_asked_has_what_was_before(cluster, uid):
    here_and_gone(cluster, uid)
    events.told(cluster_with_topic(cluster), uid, "connected disconnected")
    found = wait_for(lambda: ask(cluster.logics[1], uid=uid, wait=5)["events"], 20, "recent events")
    assert kinds(found) == ["connected", "disconnected"]
    assert kinds(ask(cluster.logics[1], uid=uid, limit=1)["events"]) == ["disconnected"]
    assert ask(cluster.logics[1], uid=uid, after="new")["events"] == []


def test_new_begins_with_the_call_though_the_logic_has_yet_to_look(cluster, uid):
    logic = cluster.logics[1]
    logic.kill9()
    logic.start()
    wait_for(logic.ready, 20, "logic 2")
    got = []
    waiter = threading.Thread(target=lambda: got.append(ask(logic, after="new", wait=25, uid=uid)))
    waiter.start()
    wait_for(lambda: logic.metrics()["imc_logic_events_followers"] == 1, 20, "it to wait")
    here_and_gone(cluster, uid)
    waiter.join(30)
    assert kinds(got[0]["events"])[:1] == ["connected"] and not got[0]["gap"]
    before = ask(logic, after="new")
    assert before["events"] == [] and not before["gap"]


def cluster_with_topic(cluster):
    cluster.events = cluster.extra["IMC_JOB_EVENTS_TOPIC"]
    return cluster


def test_a_place_of_elsewhere_is_a_gap(cluster):
    place = newest(cluster.logics[0])
    newest(cluster.logics[1])
    assert not ask(cluster.logics[0], after=place)["gap"]
    assert ask(cluster.logics[1], after=place)["gap"]
    assert ask(cluster.logics[0], after="00000000000000ff.7.1")["gap"]
    life, number, ms = place.split(".")
    assert ask(cluster.logics[0], after=f"{life}.{int(number) + 1000}.{ms}")["gap"]


def test_of_another_place_only_what_is_later_is_told(cluster):
    newest(cluster.logics[1])
    # The events of an earlier test may still be on their way.
    wait_for(lambda: ask(cluster.logics[1], after=newest(cluster.logics[0]))["events"] == [], 20, "none to be later")


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "1.2"}, {"after": "1.-1.1"}, {"after": "1. 2.3"}, {"types": "nonsense"},
                                   {"wait": 31}, {"wait": -1}, {"limit": 0}, {"limit": 501}, {"uid": "x"}, {"unknown": 1}])
def test_a_wrong_call_is_told_what_is_wrong(cluster, query):
    status, answer = cluster.api.call("GET", "/v1/events", **query)
    [name] = query
    assert status == 400 and answer["errors"][0]["parameter"] == name, answer


def test_without_a_topic_there_is_nothing_to_follow(shared):
    status, answer = shared.api.call("GET", "/v1/events", wait=5)
    assert status == 404 and "events.topic" in answer["detail"]
    assert "events.topic" in Imc(shared.logics[0]).fails(7, "events")


def test_no_more_wait_than_may(cluster):
    logic = cluster.logics[0]
    place = newest(logic)
    request = f"GET /v1/events?after={place}&wait=30&types=stored HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    waiting = [socket.create_connection(("127.0.0.1", logic.http)) for _ in range(FOLLOWERS)]
    for connection in waiting:
        connection.sendall(request)

    def count():
        return logic.metrics()["imc_logic_events_followers"]

    wait_for(lambda: count() == FOLLOWERS, 10, "followers")
    before = logic.metrics()['imc_logic_refused_total{reason="followers"}']
    status, answer = logic.api.call("GET", "/v1/events", after=place, wait=30)
    assert status == 503 and "events.followers" in answer["detail"]
    assert logic.metrics()['imc_logic_refused_total{reason="followers"}'] == before + 1
    assert logic.api.call("GET", "/v1/events", after=place)[0] == 200  # it does not wait
    waiting.pop().close()
    wait_for(lambda: count() == FOLLOWERS - 1, 10, "one to be gone")
    assert logic.api.call("GET", "/v1/events", after=place, wait=1)[0] == 200
    for connection in waiting:
        connection.close()
    wait_for(lambda: count() == 0, 10, "all to be gone")


def test_events_as_imc_prints_them(cluster, uid):
    imc = Imc(cluster.logics[0])
    place = newest(cluster.logics[0])
    here_and_gone(cluster, uid)
    collect(cluster.logics[0], place, 2, uid=uid)
    first, second = imc.ok("events", "--uid", uid, "--timeout", "0").splitlines()
    assert first.split()[1:3] == ["connected", str(uid)] and "session=" in first and second.split()[1] == "disconnected"
    assert "reason=client" in second
    assert imc.ok("events", "--uid", uid, "--types", "connected", "--count", "1") == first + "\n"
    assert imc.ok("events", "--uid", uid, "--recent", "1", "--timeout", "0") == second + "\n"
    lines = [json.loads(line) for line in imc.ok("events", "--json", "--uid", uid, "--count", "2").splitlines()]
    assert kinds(lines) == ["connected", "disconnected"]
    assert imc.run("events", "--uid", uid, "--count", "3", "--timeout", "1s") == (6, f"{first}\n{second}\n", "")
    assert imc.run("events", "--uid", uid, "--recent", "0", "--timeout", "1s") == (0, "", "")
    assert "types" in imc.fails(4, "events", "--types", "nonsense")
    for wrong in (["--uid", "x"], ["--count", "0"], ["--recent", "501"], ["more"]):
        imc.fails(2, "events", *wrong)


def lines_of(stream):
    """next(…) is its next line, and fails if none comes."""
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in stream], daemon=True).start()
    while True:
        yield lines.get(timeout=30 * SLOW)


def test_imc_follows_what_comes_and_outlives_a_logic(cluster, uid):
    logic = cluster.logics[1]
    env = Imc(logic).env
    with subprocess.Popen([str(BINARY), "events", "--recent", "0", "--uid", str(uid)], env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as running:
        out, err = lines_of(running.stdout), lines_of(running.stderr)
        try:
            wait_for(lambda: logic.metrics()["imc_logic_events_followers"] == 1, 20, "imc to wait")
            here_and_gone(cluster, uid)
            assert next(out).split()[1] == "connected"
            assert next(out).split()[1] == "disconnected"
            logic.kill9()
            told = [next(err)]
            assert re.search("connection was lost|cannot connect", told[0]), told
            logic.start()
            wait_for(logic.ready, 20, "logic 2")
            while "missing" not in told[-1] and len(told) < 4:
                told.append(next(err))
            assert "missing" in told[-1], told
            wait_for(lambda: logic.metrics()["imc_logic_events_followers"] == 1, 20, "imc to wait again")
            here_and_gone(cluster, uid)
            assert next(out).split()[1] == "connected"  # and not those before once more
            assert next(out).split()[1] == "disconnected"
        finally:
            running.terminate()


def test_a_logic_that_ends_answers_those_who_wait(make_cluster, bus):
    env, topic = events.settings(bus)
    logic = make_cluster(env={**env, "IMC_LOGIC_EVENTS_TOPIC": topic}).logics[0]
    place = newest(logic)
    got = []
    waiter = threading.Thread(target=lambda: got.append(ask(logic, after=place, wait=30)))
    waiter.start()
    wait_for(lambda: logic.metrics()["imc_logic_events_followers"] == 1, 10, "it to wait")
    assert logic.term(15) == 0
    waiter.join(5)
    assert got[0]["next"] == place


def test_kafka_goes_and_comes_back(own_kafka):
    from cluster import Cluster
    bus = own_kafka()
    env, topic = events.settings(bus)
    cluster = Cluster(bus, env={**env, "IMC_LOGIC_EVENTS_TOPIC": topic}).wait_ready()
    try:
        logic = cluster.logics[0]
        place = newest(logic)
        bus.process.kill9()
        wait_for(lambda: ask(logic, after=place).get("why"), 30, "it to say why no events come")
        bus.run_kafka("data")
        wait_for(lambda: "why" not in ask(logic, after=place), 40, lambda: f"the end of it: {ask(logic, after=place)}")
        assert not ask(logic, after=place)["gap"]
    finally:
        cluster.stop()
