"""Keys with scopes: what each may call, who is told, limits, and a file that is read anew."""
import hashlib
import json
import signal
import subprocess

import pytest

from cluster import BUILD, Api, wait_for

CALLS = [("POST", "/1/push?uid=1", "push"), ("POST", "/goim/push/all?operation=1", "push"), ("GET", "/1/count?type=room", "read"),
         ("GET", "/goim/online/total", "read"), ("POST", "/1/admin/token/new?uid=1&token=hush-token", "admin"),
         ("POST", "/1/room/join?uid=1&room=a", "admin")]


def new_key(name, scopes):
    """(key, line of the file) by the command."""
    made = subprocess.run([str(BUILD / "logic" / "imc-logic"), "--new-key", name, scopes], capture_output=True, text=True,
                          check=True)
    key, line = made.stdout.splitlines()
    return key, line


@pytest.fixture(scope="module")
def keys():
    return {scope: new_key("the-" + scope.replace(",", "-"), scope) for scope in ("push", "read", "admin", "push,read")}


@pytest.fixture(scope="module")
def keys_file(keys, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("# NAME SCOPES DIGEST\n" + "".join(f"{line}\n" for _, line in keys.values() if "push,read" not in line))
    return path


@pytest.fixture
def cluster(own_cluster, keys, keys_file):
    return own_cluster(key=keys["admin"][0], env={"IMC_LOGIC_API_KEYS_FILE": str(keys_file), "IMC_LOGIC_API_KEYS": "plain-key"})


def call(cluster, method, path, key, **headers):
    """(status, answer)"""
    body = b"x" if method == "POST" else None
    status, text, _ = Api(cluster.logics[0].http, key).request(method, path, body, headers)
    return status, json.loads(text)


def test_the_line_is_the_keys_digest(keys):
    key, line = keys["push"]
    assert line == f"the-push push sha256:{hashlib.sha256(key.encode()).hexdigest()}" and key not in line


def test_a_call_wants_its_scope(cluster, keys):
    for method, path, scope in CALLS:
        for have in ("push", "read", "admin"):
            status, answer = call(cluster, method, path, keys[have][0])
            if have in (scope, "admin"):
                assert status == 200, (path, have, answer)
            else:
                assert status == 403 and f"scope {scope}" in json.dumps(answer), (path, have, answer)
        status, answer = call(cluster, method, path, None)
        assert status == 401, (path, answer)
    assert call(cluster, "POST", "/1/push/all", "plain-key") == (200, {"ret": 1})


def test_each_key_has_ids_of_its_own(cluster, keys):
    """What another key's push was answered, or that there was one, is not to be heard."""
    to = {"Content-Type": "application/json"}
    api, other = (Api(cluster.logics[0].http, key) for key in (keys["push"][0], "plain-key"))
    mine = [api.request("POST", "/v1/push", '{"to":{"uids":[111,222]},"body":1,"id":"order"}', to) for _ in range(2)]
    assert [(status, "repeated" in text) for status, text, _ in mine] == [(202, False), (202, True)]
    status, text, _ = other.request("POST", "/v1/push", '{"to":{"uids":[5]},"body":2,"id":"order"}', to)
    answer = json.loads(text)
    assert status == 202 and [message["uid"] for message in answer["messages"]] == [5] and answer["accepted"] == 1, text
    status, text, _ = other.request("POST", "/v1/push", '{"to":{"uids":[6]},"body":2,"id":"order"}', to)
    assert status == 409 and json.loads(text)["code"] == "conflict", text
    assert call(cluster, "POST", "/1/push?uid=6&id=order", "plain-key")[1]["ret"] == 65534


def test_who_did_what_is_in_the_log_and_no_secret(cluster, keys):
    path = "/1/admin/token/new?uid=7&token=hush-token&expire=5"
    logic = cluster.logics[0]

    def all_are_logged():  # of refusals, ten a second
        assert call(cluster, "POST", path, keys["admin"][0])[0] == 200
        assert call(cluster, "POST", path, keys["push"][0])[0] == 403
        assert call(cluster, "POST", path, "hush-guess")[0] == 401
        assert call(cluster, "POST", "/1/hush-path", "hush-guess")[0] == 401
        assert call(cluster, "GET", "/1/msg/get?uid=7&token=hush-token", None)[0] == 200
        return all(line in logic.log() for line in wanted)

    wanted = ["listener=api who=the-admin address=127.0.0.1 method=POST route=/1/admin/token/new outcome=200 why=ok",
              "who=the-push address=127.0.0.1 method=POST route=/1/admin/token/new outcome=403 why=scope",
              "who=nobody address=127.0.0.1 method=POST route=/1/admin/token/new outcome=401 why=key",
              "who=nobody address=127.0.0.1 method=POST route=unknown outcome=401 why=key"]
    wait_for(all_are_logged, what=lambda: logic.log()[-3000:], every=0.4)
    shown = logic.log() + logic.get("/config")[1]
    assert "hush" not in shown and "plain-key" not in shown
    assert not any(key in shown for key, _ in keys.values())
    assert logic.metrics()['imc_logic_refused_total{reason="scope"}'] > 0


def test_the_file_is_read_anew(cluster, keys, keys_file):
    logic = cluster.logics[0]
    before = keys_file.read_text()
    late, line = keys["push,read"]
    assert call(cluster, "POST", "/1/push/all", late)[0] == 401
    keys_file.write_text(f"{line}\n{keys['admin'][1]}\n")
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: call(cluster, "POST", "/1/push/all", late)[0] == 200, what="the new key to be let in")
    assert call(cluster, "POST", "/1/push/all", keys["push"][0])[0] == 401  # taken out
    keys_file.write_text(f"{line}\nhush-name puhs hush-digest\n")
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: f"{keys_file}:2: the scopes" in logic.log(), what="the refusal of the file")
    assert "hush" not in logic.log()
    assert call(cluster, "POST", "/1/push/all", late)[0] == 200
    assert call(cluster, "POST", "/1/push/all", keys["admin"][0])[0] == 200  # the old ones stay
    keys_file.write_text(before)
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: call(cluster, "POST", "/1/push/all", keys["push"][0])[0] == 200, what="the first keys again")


@pytest.mark.parametrize("text, why", [
    ("a push\n", ":1: fewer than three fields"), ("a puhs sha256:00\n", ":1: the scopes"), ("a push hush\n", ":1: the digest"),
    ("# nobody\n", ": no key in it"), ("a push {0}\nb read {0}\n", ":2: the key of line 1 again"),
    ("a push {0}\na read {1}\n", ":2: the name of line 1 again")])
def test_a_bad_file_is_refused_at_the_start(tmp_path, text, why):
    path = tmp_path / "keys"
    path.write_text(text.format("sha256:" + "0" * 64, "sha256:" + "1" * 64))
    run = subprocess.run([str(BUILD / "logic" / "imc-logic"), "--check"], capture_output=True, text=True, check=False,
                         env={"IMC_LOGIC_API_KEYS_FILE": str(path)})
    assert run.returncode == 1 and f"api.keys_file: {path}{why}" in run.stderr, run.stderr
    assert "hush" not in run.stderr


def test_pushes_of_a_key_have_a_rate(make_cluster, keys, keys_file):
    cluster = make_cluster(key=keys["admin"][0], env={"IMC_LOGIC_API_KEYS_FILE": str(keys_file), "IMC_LOGIC_API_PUSH_RATE": "5"})
    api = Api(cluster.logics[0].http, keys["push"][0])
    status, text, headers = 200, "", {}
    for n in range(200):
        status, text, headers = api.request("POST", "/1/push/all", b"x")
        if status != 200:
            break
    assert status == 429 and n >= 5 and "api.push_rate" in text and headers["Retry-After"] == "1", (n, text)
    assert cluster.api.push_all("x") == {"ret": 1}  # another key
    status, text, headers = api.request("POST", "/1/pushs", json.dumps({"u": list(range(50)), "m": 1}).encode())
    wait_for(lambda: api.request("POST", "/1/pushs", json.dumps({"u": list(range(50)), "m": 1}).encode())[0] == 200, 10,
             "the rate to allow a push again", 0.1)
    status, text, headers = api.request("POST", "/1/push/all", b"x")
    assert status == 429 and 8 <= int(headers["Retry-After"]) <= 10, headers  # 50 uids are 50 messages: 10 s
    assert cluster.logics[0].metrics()['imc_logic_refused_total{reason="rate"}'] >= 2
