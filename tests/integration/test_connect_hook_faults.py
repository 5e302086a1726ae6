"""A business that is slow, overrun or dead costs connecting clients their time, and nobody else anything."""
import collections
import contextlib
import threading
import time

import pytest

import business as business_module
import cluster as cluster_module
import goim
import imgo
from cluster import SLOW, wait_for

IN_FLIGHT, WAITING = 8, 10


@pytest.fixture(scope="module")
def business():
    business = business_module.Business(business_module.uid_of)
    yield business
    business.stop()


@pytest.fixture(scope="module")
def cluster(bus, business):
    env = {"IMC_LOGIC_AUTH_URL": business.url(), "IMC_LOGIC_AUTH_IN_FLIGHT": str(IN_FLIGHT),
           "IMC_LOGIC_AUTH_WAITING": str(WAITING), "IMC_COMET_COMET_WORKERS": "1"}
    cluster = cluster_module.Cluster(bus, env=env)
    yield cluster.wait_ready()
    cluster.stop()


@pytest.fixture(autouse=True)
def fresh(cluster, business):
    """The business answers, and logic knows it."""
    business.answer = business_module.uid_of
    wait_for(lambda: try_auth(cluster, "user-1") == 0, every=0.1)
    wait_for(lambda: business.now == 0)
    business.questions.clear()
    business.most = 0


def send_auth(cluster, token):
    client = imgo.TcpClient(cluster.comets[0].tcp)
    client.send_auth(token)
    return client


def outcome(client):
    """0: admitted, or the code of the refusal. Closes CLIENT."""
    with contextlib.closing(client):
        try:
            assert client.recv().op == imgo.AUTH_REPLY
            return 0
        except imgo.Closed:
            return client.reason["code"]


def try_auth(cluster, token):
    return outcome(send_auth(cluster, token))


def failed(cluster, reason):
    return cluster.logics[0].metrics()[f'imc_logic_auth_failed_total{{reason="{reason}"}}']


def test_a_dead_business(cluster, business, uid):
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth(f"user-{uid}")) as client:
        business.stop()
        try:
            began = time.monotonic()
            assert try_auth(cluster, "user-1") == 12
            assert time.monotonic() - began < 3 * SLOW
            assert cluster.logics[0].ready() and cluster.comets[0].ready()
            assert "did not say who connects" in cluster.logics[0].log()
            cluster.api.push(uid, "still here")
            assert client.push() == b"still here"
        finally:
            business.start()
        wait_for(lambda: try_auth(cluster, "user-1") == 0, every=0.1)
        cluster.api.push(uid, "and now")
        assert client.push() == b"and now"


def test_a_business_that_never_answers(cluster, business, uid):
    """Connects wait until they are given up; meanwhile what sessions do goes on."""
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth(f"user-{uid}")) as client:
        business.answer = lambda question: time.sleep(4 * SLOW) or (200, {"uid": 1})
        began = time.monotonic()
        waiting = [send_auth(cluster, f"user-{n}") for n in range(100)]
        wait_for(lambda: business.most == IN_FLIGHT)
        for n in range(20):
            sent = time.monotonic()
            cluster.api.push(uid, f"{n}")
            assert client.push() == f"{n}".encode()
            assert time.monotonic() - sent < 1 * SLOW
        assert {outcome(one) for one in waiting} == {12}
        assert time.monotonic() - began < 4.5 * SLOW


def test_one_slow_answer_delays_nobody_else(cluster, business):
    def answer(question):
        if question["token"] == "user-5":
            time.sleep(0.7)
        return business_module.uid_of(question)

    business.answer = answer
    slow = send_auth(cluster, "user-5")
    wait_for(lambda: business.now == 1)
    began = time.monotonic()
    assert [try_auth(cluster, f"user-{n}") for n in range(10, 20)] == [0] * 10
    if SLOW == 1:
        assert time.monotonic() - began < 0.6
    assert outcome(slow) == 0


@pytest.mark.parametrize("status", (502, 503, 504))
def test_asked_once_more(cluster, business, status):
    answers = [(status, b""), (200, {"uid": 5})]
    business.answer = lambda question: answers.pop(0)
    assert try_auth(cluster, "user-5") == 0
    assert len(business.questions) == 2 and business.questions[0] == business.questions[1]


def test_a_business_in_trouble_is_given_pauses(cluster, business):
    business.answer = lambda question: (503, b"")
    before = failed(cluster, "pause")
    assert {try_auth(cluster, "user-5") for _ in range(200)} == {12}
    asked = len(business.questions)
    assert asked < 60, asked
    assert failed(cluster, "pause") - before > 100


def test_one_question_that_always_fails_stops_no_other(cluster, business):
    """A stranger makes the business fail as often as he likes, and others are let in meanwhile."""
    business.answer = lambda question: (503, b"") if question["token"] == "poison" else business_module.uid_of(question)
    before = failed(cluster, "pause")
    for _ in range(5):
        poisoned = [send_auth(cluster, "poison") for _ in range(12)]
        assert [try_auth(cluster, f"user-{n}") for n in range(5, 8)] == [0] * 3
        assert {outcome(client) for client in poisoned} == {12}
    assert failed(cluster, "pause") == before


def test_a_deep_auth_does_not_reach_the_business(cluster, business):
    for depth, code in ((16, 0), (17, 3), (1500, 3)):
        client = goim.TcpClient(cluster.comets[0].tcp)
        client.send(goim.AUTH, b'{"token":"user-5","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}")
        assert outcome(client) == code, depth
        if code != 0:
            assert "nests deeper than 16" in client.reason["reason"], client.reason
    assert len(business.questions) == 1


def test_as_many_wait_as_may(cluster, business):
    go = threading.Event()
    business.answer = lambda question: go.wait(0.9 * SLOW) and business_module.uid_of(question)
    before = failed(cluster, "waiting")
    asked = [send_auth(cluster, f"user-{n}") for n in range(IN_FLIGHT)]
    wait_for(lambda: business.now == IN_FLIGHT)
    waiting = [send_auth(cluster, f"user-{n}") for n in range(WAITING)]
    wait_for(lambda: cluster.logics[0].metrics()["imc_logic_auth_waiting"] == WAITING)
    assert try_auth(cluster, "user-1") == 12
    assert failed(cluster, "waiting") - before == 1
    go.set()
    assert {outcome(one) for one in asked + waiting} == {0}


def test_two_thousand_at_once(cluster, business):
    def answer(question):
        time.sleep(0.1)
        return business_module.uid_of(question)

    business.answer = answer
    clients = [send_auth(cluster, f"user-{n}") for n in range(2000)]
    outcomes = collections.Counter(outcome(client) for client in clients)
    assert outcomes.keys() == {0, 12} and outcomes.total() == 2000, outcomes
    assert outcomes[0] >= IN_FLIGHT and business.most == IN_FLIGHT
    assert cluster.logics[0].metrics()["imc_logic_auth_waiting"] == 0
