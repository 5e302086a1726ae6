"""Session events by webhook (events.url): told without any topic of the business, in order, whatever the receiver does."""
import collections
import os
import ssl
import subprocess
import threading

import pytest

import certificates
import events
import imgo
import webhook
from cluster import BUILD, Cluster, wait_for
from traffic import QUICK

TYPES = "connected, disconnected, joined, left, stored, delivered"


def settings(bus, receiver, tmp_path, **more):
    name = bus.topic()
    return {**QUICK, "IMC_LOGIC_EVENTS_LOG": f"{name}-sessions", "IMC_JOB_EVENTS_LOG": f"{name}-sessions",
            "IMC_JOB_EVENTS_GROUP": f"{name}-events", "IMC_JOB_EVENTS_URL": receiver.url(),
            "IMC_LOGIC_EVENTS_TYPES": TYPES, "IMC_JOB_EVENTS_TYPES": TYPES,
            "IMC_JOB_EVENTS_URL_RETRY": "500ms", "IMC_JOB_EVENTS_URL_TIMEOUT": "1s",
            "IMC_JOB_EVENTS_URL_SECRET_FILE": webhook.key_file(tmp_path / "keys", receiver.secret), **more}


@pytest.fixture(scope="module")
def made(bus, tmp_path_factory):
    """A cluster of all tests here, and its receiver, which each test may break."""
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    receiver = webhook.Receiver(webhook.key())
    cluster = Cluster(bus, jobs=2, env=settings(bus, receiver, tmp_path_factory.mktemp("hook")))
    cluster.wait_ready()
    yield cluster, receiver
    cluster.stop()
    receiver.stop()


@pytest.fixture
def cluster(made):
    made[1].answer = lambda events: 204
    yield made[0]
    made[1].answer = lambda events: 204
    wait_for(lambda: made[0].sum("job", "imc_job_events_waiting") == 0, what="everything to be told")
    events.firsts(made[1].events())  # all of them are in order


@pytest.fixture
def receiver(made):
    return made[1]


def session(cluster, uid):
    return imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))


def kinds(receiver, uid):
    return " ".join(events.kind(event) for event in events.firsts(receiver.of_uid(uid)))


def told(receiver, uid, wanted, timeout=30):
    wait_for(lambda: kinds(receiver, uid) == wanted, timeout, lambda: f"{wanted}, got {kinds(receiver, uid)}")


def why(cluster):
    return " ".join(job.get("/readyz")[1] for job in cluster.jobs)


def test_connected_and_disconnected(cluster, receiver, uid):
    with session(cluster, uid):
        told(receiver, uid, "connected")
    told(receiver, uid, "connected disconnected")
    came, left = receiver.of_uid(uid)
    assert came["id"] == came["data"]["session"] + ".connected" and came["source"] == "/imc/comet/1"
    assert left["data"]["reason"] == "client" and left["sequence"] > came["sequence"]
    assert set(receiver.paths) == {"/hook"}


def test_rooms_and_messages(cluster, receiver, uid):
    cluster.api.push(uid, "for later")
    told(receiver, uid, "stored")
    with session(cluster, uid) as client:
        assert client.push() == b"for later"
        told(receiver, uid, "stored connected delivered")
        cluster.api.call("POST", "/1/room/join", uid=uid, room="r")
        told(receiver, uid, "stored connected delivered joined")
        cluster.api.push(uid, "at once")
        assert client.push() == b"at once"
        told(receiver, uid, "stored connected delivered joined delivered")
    told(receiver, uid, "stored connected delivered joined delivered disconnected")
    got = receiver.of_uid(uid)
    assert got[0]["source"] == "/imc/message" and got[3]["data"]["room"] == "r"
    assert got[0]["data"]["message"] == got[2]["data"]["message"] != got[4]["data"]["message"]


def test_what_fails_comes_again_in_order(cluster, receiver, uids):
    users = uids(30)
    seen = collections.Counter()

    def answer(got):
        with receiver.lock:
            seen["posts"] += 1
            return 204 if seen["posts"] % 3 == 0 else 500

    receiver.answer = answer
    for uid in users:
        session(cluster, uid).close()
    for uid in users:
        told(receiver, uid, "connected disconnected", 60)
    assert cluster.sum("job", 'imc_job_webhook_posts_total{result="status"}') > 0


def test_a_dead_receiver_slows_no_push_and_loses_nothing(cluster, receiver, uids):
    user, *others = uids(6)
    with session(cluster, user) as client:
        told(receiver, user, "connected")
        receiver.stop()
        for uid in others:
            session(cluster, uid).close()
        wait_for(lambda: cluster.sum("job", 'imc_job_webhook_posts_total{result="connect"}') > 3, what="failures")
        for number in range(20):
            cluster.api.push(user, f"push {number}")
            assert client.push(2) == f"push {number}".encode()
        assert "events.url does not take events: no connection" in why(cluster)
        assert all(job.ready() for job in cluster.jobs)
        receiver.start()
        for uid in others:
            told(receiver, uid, "connected disconnected")
    wait_for(lambda: "does not take" not in why(cluster), what="the condition to hold again")


def test_a_receiver_that_hangs(cluster, receiver, uids):
    user, other = uids(2)
    hang, go_on = threading.Event(), threading.Event()

    def answer(got):
        hang.set()
        go_on.wait(20)
        return 204

    receiver.answer = answer
    with session(cluster, user) as client:
        assert hang.wait(20)
        session(cluster, other).close()
        cluster.api.push(user, "not held up")
        assert client.push(2) == b"not held up"
        wait_for(lambda: cluster.sum("job", 'imc_job_webhook_posts_total{result="timeout"}') > 0, what="a timeout")
        go_on.set()
        told(receiver, other, "connected disconnected")


def test_a_job_dies_with_what_is_not_told(cluster, receiver, uids):
    """The other one tells it: nothing was committed."""
    users = uids(10)
    receiver.answer = lambda events: 503
    for uid in users:
        session(cluster, uid).close()
    wait_for(lambda: cluster.sum("job", "imc_job_events_waiting") == 20, what="20 events to wait")
    cluster.jobs[0].kill9()
    receiver.answer = lambda events: 200
    for uid in users:
        told(receiver, uid, "connected disconnected", 60)
    cluster.jobs[0].start()
    wait_for(cluster.jobs[0].ready)


def test_gone_disables_until_sighup(cluster, receiver, uid):
    receiver.answer = lambda events: 410
    session(cluster, uid).close()
    wait_for(lambda: cluster.sum("job", "imc_job_webhook_disabled") == 1, what="it to be disabled")
    assert "410 Gone" in why(cluster)
    assert any("webhook is disabled" in job.log() for job in cluster.jobs)
    receiver.answer = lambda events: 204
    assert kinds(receiver, uid) == ""
    for job in cluster.jobs:
        certificates.hang_up(job)
    told(receiver, uid, "connected disconnected")
    assert cluster.sum("job", "imc_job_webhook_disabled") == 0


def test_keys_are_changed(cluster, receiver, uids, tmp_path):
    """The receiver takes the old key, then the new one: while both sign, it may change whenever it likes."""
    old, new, path = receiver.secret, webhook.key(), cluster.jobs[0].env["IMC_JOB_EVENTS_URL_SECRET_FILE"]
    first, second, third = uids(3)
    for keys, secret, uid in (((new, old), old, first), ((new, old), new, second), ((new,), new, third)):
        with open(path, "w", encoding="ascii") as file:
            file.writelines(key + "\n" for key in keys)
        for job in cluster.jobs:
            reloads = job.metrics()['imc_reloads_total{what="events",result="ok"}']
            certificates.hang_up(job)
            wait_for(lambda job=job, reloads=reloads:
                     job.metrics()['imc_reloads_total{what="events",result="ok"}'] > reloads, what="the reload")
        receiver.secret = secret
        session(cluster, uid).close()
        told(receiver, uid, "connected disconnected")
    for job in cluster.jobs:
        assert new not in job.log() and old not in job.log()


def test_no_redirect_to_anywhere(cluster, receiver, uid):
    elsewhere = webhook.Receiver(receiver.secret)
    receiver.answer = lambda events: (307, b"", ("Location", elsewhere.url()))
    session(cluster, uid).close()
    wait_for(lambda: "no redirect is followed" in why(cluster), what="the redirect to be told")
    receiver.answer = lambda events: 204
    told(receiver, uid, "connected disconnected")
    assert elsewhere.posts == []
    elsewhere.stop()


def test_an_endless_answer_is_not_read_into_memory(cluster, receiver, uid):
    receiver.answer = lambda events: (200, b"x" * (8 << 20))
    session(cluster, uid).close()
    told(receiver, uid, "connected disconnected")


def test_over_tls(cluster, receiver, bus, uids, tmp_path):
    """Only if the certificate is by an authority that events.url_ca names."""
    ours = certificates.Authority(tmp_path / "ours", "localhost", "127.0.0.1")
    other = certificates.Authority(tmp_path / "other", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.path("server.pem"), ours.path("server-key.pem"))
    safe = webhook.Receiver(receiver.secret, context=context)
    user, later = uids(2)
    plain = receiver.url()
    key = cluster.jobs[0].env["IMC_JOB_EVENTS_URL_SECRET_FILE"]
    with open(key, "w", encoding="ascii") as file:
        file.write(receiver.secret + "\n")
    try:
        for job in cluster.jobs:
            certificates.restart(job, EVENTS_URL=safe.url(), EVENTS_URL_CA=other.ca)
        session(cluster, user).close()
        wait_for(lambda: "TLS failed" in why(cluster), what="TLS to fail")
        assert safe.posts == []
        for job in cluster.jobs:
            certificates.restart(job, EVENTS_URL_CA=ours.ca)
        told(safe, user, "connected disconnected", 60)
    finally:
        for job in cluster.jobs:
            certificates.restart(job, EVENTS_URL=plain, EVENTS_URL_CA="")
        for job in cluster.jobs:
            wait_for(job.ready)
        safe.stop()
    session(cluster, later).close()
    told(receiver, later, "connected disconnected", 60)


def check(**env):
    done = subprocess.run([BUILD / "job" / "imc-job", "--check"], env={**os.environ, **env}, capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0
    return done.stderr


def test_what_is_refused_at_the_start():
    url = {"IMC_JOB_EVENTS_LOG": "l", "IMC_JOB_EVENTS_URL": "https://a.example/"}
    secret = {"IMC_JOB_EVENTS_URL_SECRET_FILE": "/nowhere"}
    assert "needs events.url_secret_file" in check(**url)
    assert "whsec_" in check(**url)
    assert "exclude each other" in check(**url, **secret, IMC_JOB_EVENTS_TOPIC="t")
    assert "needs events.log" in check(**{**url, **secret, "IMC_JOB_EVENTS_LOG": ""})
    assert "needs events.topic or events.url" in check(IMC_JOB_EVENTS_LOG="l")
    assert "http://" in check(**{**url, **secret, "IMC_JOB_EVENTS_URL": "a.example"})
