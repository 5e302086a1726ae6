"""The business is asked by HTTP who connects, and its answer decides."""
import base64
import contextlib
import os
import signal
import subprocess
import time

import pytest

import business as business_module
import cluster as cluster_module
import goim
import imgo
from cluster import wait_for


@pytest.fixture(scope="module")
def business():
    business = business_module.Business(business_module.uid_of)
    yield business
    business.stop()


@pytest.fixture(scope="module")
def cluster(bus, business, tmp_path_factory):
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text("s3cret-1\n")
    env = {"IMC_LOGIC_AUTH_URL": business.url("/who?v=1"), "IMC_LOGIC_AUTH_SECRET_FILE": str(secret),
           "IMC_LOGIC_AUTH_CACHE": "1m", "IMC_LOGIC_AUTH_MAX_ANSWER": "4k",
           "IMC_COMET_WS_PASS_HEADERS": "cookie, X-Request-ID", "IMC_COMET_WS_PASS_HEADERS_MAX": "256",
           "IMC_COMET_LEASE_REGION": "sh"}
    cluster = cluster_module.Cluster(bus, env=env)
    cluster.secret = secret
    yield cluster.wait_ready()
    cluster.stop()


@pytest.fixture(autouse=True)
def asked(business):
    business.answer = business_module.uid_of
    business.questions.clear()
    business.headers.clear()
    business.paths.clear()


def answering(business, *answer):
    business.answer = lambda question: answer


def test_imgo_tcp(cluster, business, uid):
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth(f"user-{uid}")) as client:
        cluster.api.push(uid, "hello")
        assert client.push() == b"hello"
    (question,), (headers,), (path,) = business.questions, business.headers, business.paths
    assert int(question.pop("client"), 16) > 0
    assert question == {"transport": "tcp", "protocol": "imgo", "address": "127.0.0.1", "comet": "1", "region": "sh",
                        "token": f"user-{uid}"}
    assert path == "/who?v=1" and headers["Host"] == f"127.0.0.1:{business.port}"
    assert headers["Content-Type"] == "application/json" and headers["Authorization"] == "Bearer s3cret-1"


def test_websocket_with_cookies(cluster, business, uid):
    headers = ["Cookie: a=1", "X-Secret: no", "cookie:b=\"\xe9\"", "x-request-id: r7"]
    client = imgo.WsClient(cluster.comets[0].ws, headers=headers)
    with contextlib.closing(client.auth(f"user-{uid}")):
        (question,) = business.questions
    assert (question["transport"], question["protocol"], question["token"]) == ("websocket", "imgo", f"user-{uid}")
    assert question["headers"] == {"cookie": "a=1; b=\"\xe9\"", "x-request-id": "r7"}
    wait_for(lambda: cluster.comets[0].metrics()["imc_comet_stranger_bytes"] == 0)


def test_too_many_bytes_of_headers(cluster, business):
    name = "imc_comet_pass_headers_refused_total"
    before = cluster.comets[0].metrics()[name]
    line = "Cookie: " + "x" * (256 - len("cookie: \n"))
    imgo.WsClient(cluster.comets[0].ws, headers=[line]).close()
    with pytest.raises(AssertionError, match="431"):
        imgo.WsClient(cluster.comets[0].ws, headers=[line + "x"])
    assert cluster.comets[0].metrics()[name] == before + 1
    assert business.questions == []


@pytest.mark.parametrize("kind", (goim.TcpClient, goim.WsClient))
def test_goim(cluster, business, uid, kind):
    answering(business, 200, {"uid": str(uid), "room": "live://9", "rooms": ["a", "b"], "accepts": [1000]})
    comet = cluster.comets[0]
    with contextlib.closing(kind(comet.ws if kind is goim.WsClient else comet.tcp)) as client:
        client.auth(mid=uid, room_id="live://1", platform="web", token="t", key="phone")
        (question,) = business.questions
        assert question["protocol"] == "goim" and question["token"] == "t"
        assert question["auth"] == {"mid": uid, "room_id": "live://1", "platform": "web", "key": "phone"}
        wait_for(lambda: {"live://9", "a", "b"} <= cluster.api.counts("room").keys())
        assert "live://1" not in cluster.api.counts("room")
        cluster.api.push_room("live://9", "in", op=1000)
        cluster.api.push(uid, "no", op=5)
        cluster.api.push(uid, "yes", op=1000)
        got = {client.recv().body for _ in range(2)}
        assert got == {b"in", b"yes"}


def test_goim_without_a_token(cluster, business, uid):
    answering(business, 200, {"uid": uid})
    with contextlib.closing(goim.TcpClient(cluster.comets[0].tcp)) as client:
        client.auth(key="phone")
        assert business.questions[0]["auth"] == {"key": "phone"} and "token" not in business.questions[0]
    with contextlib.closing(goim.TcpClient(cluster.comets[0].tcp)) as client:
        client.send(7, b'{"mid":%d}' % (uid + 1))
        assert "mid" in client.kicked(1)


def test_bytes_that_are_no_text(cluster, business, uid):
    answering(business, 200, {"uid": uid})
    client = imgo.TcpClient(cluster.comets[0].tcp)
    with contextlib.closing(client):
        client.send(imgo.AUTH, b"\xff\x00\x01")
        assert client.recv().op == imgo.AUTH_REPLY
    assert base64.b64decode(business.questions[0]["token_base64"]) == b"\xff\x00\x01"


REFUSALS = [
    (200, {"disconnect": {"code": 1, "reason": "not you"}}, 1, "not you"),
    (200, {"disconnect": {"code": 7, "reason": "ba\"nn\ned" + "x" * 200}}, 7, "ba nn ed" + "x" * 92),
    (200, {"disconnect": {"code": 4501, "reason": "banned"}}, 7, "banned"),
    (200, {"error": {"code": 1000, "message": "no"}}, 1, "no"),
    (401, b"", 1, "refused"),
    (403, {"uid": 1}, 1, "refused"),
    (200, {"uid": 1, "expire_at": 1000}, 1, "expired"),
]


@pytest.mark.parametrize("status, answer, code, reason", REFUSALS)
def test_refused(cluster, business, status, answer, code, reason):
    answering(business, status, answer)
    for kind, address in ((imgo.TcpClient, cluster.comets[0].tcp), (imgo.WsClient, cluster.comets[0].ws)):
        client = kind(address)
        client.send_auth("t")
        assert client.kicked(code) == reason


BAD = [
    (200, b"", "answer"), (200, b"no", "answer"), (200, b"[1]", "answer"), (200, {}, "answer"),
    (200, {"uid": 1.5}, "answer"), (200, {"uid": "1x"}, "answer"), (200, b'{"uid":9223372036854775808}', "answer"),
    (200, {"uid": "9223372036854775808"}, "answer"), (200, {"uid": 1, "rooms": "a"}, "answer"),
    (200, {"uid": 1, "rooms": ["x" * 129]}, "answer"), (200, {"uid": 1, "rooms": ["x" * 100] * 11}, "answer"),
    (200, {"uid": 1, "x": "x" * 4096}, "answer"), (200, {"disconnect": {"code": 99}}, "answer"),
    (302, b"", "status"), (500, b"", "status"), (404, b"", "status"),
]


@pytest.mark.parametrize("status, answer, reason", BAD)
def test_bad_answers(cluster, business, status, answer, reason):
    name = f'imc_logic_auth_failed_total{{reason="{reason}"}}'
    before = cluster.logics[0].metrics()[name]
    business.answer = lambda question: (status, answer, ("Location", business.url("/other")))
    client = imgo.TcpClient(cluster.comets[0].tcp)
    client.send_auth("t")
    client.kicked(12)
    assert len(business.questions) == 1  # nothing is followed, nothing asked again
    assert cluster.logics[0].metrics()[name] == before + 1


def test_at_the_limits(cluster, business, uid):
    answering(business, 200, {"uid": uid, "room": "r" * 128, "rooms": ["x" * 127] * 8})
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth("t")):
        pass


def test_centrifugos_form(cluster, business, uid):
    answering(business, 200, {"result": {"user": str(uid), "expire_at": int(time.time()) + 3600, "channels": ["news"]}})
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth("t")) as client:
        cluster.api.push_room("news", "today")
        assert client.push() == b"today"


def test_a_session_ends_when_the_answer_says(cluster, business, uid):
    ends = int(time.time()) + 3
    answering(business, 200, {"uid": uid, "expire_at": ends})
    with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth("t")) as client:
        client.kicked(1)
        assert time.time() >= ends


def test_answers_are_used_again(cluster, business, uid):
    answering(business, 200, {"uid": uid, "cache": 30})
    for _ in range(3):
        imgo.TcpClient(cluster.comets[0].tcp).auth(f"cached-{uid}").close()
    assert len(business.questions) == 1
    imgo.TcpClient(cluster.comets[0].tcp).auth(f"cached-{uid}-other").close()
    assert len(business.questions) == 2
    answering(business, 200, {"uid": uid})  # it does not say that it may be
    for _ in range(2):
        imgo.TcpClient(cluster.comets[0].tcp).auth(f"fresh-{uid}").close()
    assert len(business.questions) == 4


def test_the_secret_is_read_again(cluster, business, uid):
    logic = cluster.logics[0]
    cluster.secret.write_text("s3cret-2")
    os.kill(logic.popen.pid, signal.SIGHUP)
    wait_for(lambda: logic.metrics().get('imc_reloads_total{what="auth",result="ok"}') == 1)
    imgo.TcpClient(cluster.comets[0].tcp).auth(f"user-{uid}").close()
    assert business.headers[-1]["Authorization"] == "Bearer s3cret-2"
    cluster.secret.write_text("two words")
    os.kill(logic.popen.pid, signal.SIGHUP)
    wait_for(lambda: logic.metrics().get('imc_reloads_total{what="auth",result="failed"}') == 1)
    imgo.TcpClient(cluster.comets[0].tcp).auth(f"user-{uid}").close()
    assert business.headers[-1]["Authorization"] == "Bearer s3cret-2"
    assert "s3cret" not in logic.log() and "two words" not in logic.log()


@pytest.mark.parametrize("settings, words", [
    ({"URL": "ftp://a.example/"}, "https://"),
    ({"URL": "http://me:pw@a.example/"}, "auth.secret_file"),
    ({"URL": "http://a.example/", "TRUST_MID": "yes"}, "exclude"),
    ({"URL": "http://a.example/", "TIMEOUT": "1500ms"}, "connect.timeout"),
])
def test_settings_are_refused(settings, words):
    env = {f"IMC_LOGIC_AUTH_{name}": value for name, value in settings.items()}
    done = subprocess.run([cluster_module.BUILD / "logic" / "imc-logic", "--check"], env={**os.environ, **env},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and words in done.stderr and "me:pw" not in done.stderr, done.stderr
