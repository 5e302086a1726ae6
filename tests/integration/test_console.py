"""What logic serves at /console: who gets what, logging in, CSRF, what daemons report, draining; and its pages, walked
through by a real Chromium (console/walk.mjs). With CONSOLE_SHOTS=DIR the walk leaves pictures there."""
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

import events
import goim
from cluster import BUILD, ROOT, SLOW, Api, wait_for
from imgo import TcpClient
from test_reload import from_file

WALK = ROOT / "tests" / "integration" / "console" / "walk.mjs"
MODULES = ROOT / "build-console" / "current" / "node_modules"


@pytest.fixture(scope="module")
def keys():
    """{name: (key, line of the file)}"""
    made = {}
    for name, scopes in (("ops", "admin"), ("watcher", "read"), ("sender", "push")):
        out = subprocess.run([str(BUILD / "logic" / "imc-logic"), "--new-key", name, scopes], capture_output=True, text=True,
                             check=True).stdout.splitlines()
        made[name] = (out[0], out[1])
    return made


@pytest.fixture(scope="module")
def cluster(bus, keys, tmp_path_factory):
    from cluster import Cluster
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("".join(f"{line}\n" for _, line in keys.values()))
    made = Cluster(bus, comets=2, logics=2, routers=2, jobs=2, key=keys["ops"][0],
                   env={"IMC_LOGIC_CONSOLE_ENABLED": "yes", "IMC_LOGIC_API_KEYS_FILE": str(path),
                        **events.settings(bus)[0]}).wait_ready()
    made.keys_path = path
    yield made
    made.stop()


class Page:
    """What a browser's page has: the cookie, the token."""

    def __init__(self, logic):
        self.api = Api(logic.http)
        self.cookie = self.csrf = None

    def call(self, method, path, body=None, **more):
        headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        if self.cookie:
            headers["Cookie"] = f"other=1; {self.cookie}"
        if self.csrf:
            headers["X-CSRF-Token"] = self.csrf
        headers.update(more)
        text = json.dumps(body).encode() if body is not None else None
        status, answer, got = self.api.request(method, path, text, headers)
        return status, json.loads(answer), got

    def log_in(self, key):
        status, answer, headers = self.call("POST", "/console/login", {"key": key})
        if status == 200:
            self.set_cookie = headers["Set-Cookie"]
            self.cookie = self.set_cookie.split(";")[0]
            self.csrf = answer["csrf"]
        return status, answer


@pytest.fixture
def page(cluster, keys):
    made = Page(cluster.logics[0])
    assert made.log_in(keys["ops"][0])[0] == 200
    return made


def state(page, **query):
    status, answer, _ = page.call("GET", "/console/state?" + "&".join(f"{k}={v}" for k, v in query.items()))
    assert status == 200, answer
    return answer


def test_the_page_is_for_anybody_and_holds_no_script_of_its_own(cluster):
    status, text, headers = Api(cluster.logics[0].http).request("GET", "/console/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in text and "style=" not in text
    assert Api(cluster.logics[0].http).request("GET", "/console")[0] == 302
    assert Api(cluster.logics[0].http).request("GET", "/console/no-such-file")[0] in (401, 404)


def test_without_console_enabled_there_is_none(shared):
    assert shared.logics[0].api.request("GET", "/console/")[0] == 404
    reports = shared.logics[0].metrics()
    assert reports["imc_logic_console_daemons"] == 0


def test_a_cookie_is_for_this_page_alone(page):
    assert "HttpOnly" in page.set_cookie and "SameSite=Strict" in page.set_cookie and "Path=/" in page.set_cookie
    assert page.call("GET", "/console/state")[0] == 200
    assert page.call("GET", "/v1/cluster")[0] == 200
    for wrong in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"Sec-Fetch-Site": "cross-site"}):
        for method, path in (("GET", "/console/state"), ("GET", "/v1/cluster"), ("DELETE", "/v1/sessions?uid=1")):
            status, answer, _ = page.call(method, path, **wrong)
            assert status == 401 and "X-CSRF-Token" in answer["detail"], (wrong, path, answer)
    # goim's and imgo's calls know no login
    assert page.call("GET", "/1/count?type=room")[0] == 401


def test_a_login_may_what_its_key_may(cluster, keys):
    reader, sender = Page(cluster.logics[0]), Page(cluster.logics[0])
    assert reader.log_in(keys["watcher"][0])[1]["scopes"] == ["read"]
    assert sender.log_in(keys["sender"][0])[1]["scopes"] == ["push"]
    assert reader.call("GET", "/console/state")[0] == 200
    assert reader.call("POST", "/v1/push", {"to": {"uids": [1]}, "body": 1})[0] == 403
    assert reader.call("POST", "/v1/comets/drain", {"server": "1"})[0] == 403
    assert sender.call("GET", "/console/state")[0] == 403
    assert sender.call("POST", "/v1/push", {"to": {"uids": [1]}, "body": 1, "ttl": 0})[0] == 202


def test_logging_out_ends_it(page):
    assert page.call("GET", "/console/session")[1]["login"]
    assert page.call("POST", "/console/logout", {})[0] == 200
    assert page.call("GET", "/console/state")[0] == 401
    assert not page.call("GET", "/console/session")[1]["login"]


def test_a_key_that_is_taken_back_is_of_no_use_any_more(cluster, keys):
    import signal
    reader = Page(cluster.logics[0])
    reader.log_in(keys["watcher"][0])
    before = cluster.keys_path.read_text()
    cluster.keys_path.write_text(before.replace(keys["watcher"][1] + "\n", ""))
    cluster.logics[0].popen.send_signal(signal.SIGHUP)
    wait_for(lambda: reader.call("GET", "/console/state")[0] == 401, 10, "the login to end")
    assert not reader.call("GET", "/console/session")[1]["login"]
    cluster.keys_path.write_text(before)
    cluster.logics[0].popen.send_signal(signal.SIGHUP)
    wait_for(lambda: reader.call("GET", "/console/state")[0] == 200, 10, "the key to be back")


def test_wrong_keys_are_counted_and_then_not_even_looked_at(cluster, keys):
    stranger = Page(cluster.logics[1])
    for _ in range(10):
        status, answer = stranger.log_in("wrong")
        assert status == 401 and "wrong key" in answer["detail"]
    status, answer, headers = stranger.call("POST", "/console/login", {"key": keys["ops"][0]})
    assert status == 429 and headers["Retry-After"] == "60" and "wait" in answer["detail"]
    assert cluster.logics[1].metrics()['imc_logic_console_logins_total{result="refused"}'] == 11


@pytest.mark.parametrize("body,kind", [(b"", "application/json"), (b'{"key":1}', "application/json"), (b"[]", "application/json"),
                                       (b'{"key":"a"', "application/json"), (b'{"key":"x"}', "text/plain"),
                                       (b'{"key":"' + b"x" * 3000 + b'"}', "application/json")])
def test_a_malformed_login_is_told_what_is_wrong(cluster, body, kind):
    status, text, _ = Api(cluster.logics[0].http).request("POST", "/console/login", body, {"Content-Type": kind})
    assert status == 400 and "application/json" in json.loads(text)["detail"]


def test_every_daemon_reports_to_every_logic(cluster, keys):
    page = Page(cluster.logics[0])
    page.log_in(keys["ops"][0])

    def all_heard():
        daemons = state(page)["daemons"]
        return len(daemons) == 8 and all("version" in one and not one["away"] for one in daemons)

    wait_for(all_heard, 20, lambda: f"reports: {state(page)['daemons']}")
    answer = state(page, daemon="comet/1")
    settings = {one["name"]: one for one in answer["daemon"]["settings"]}
    assert settings["lease.id"] == {"name": "lease.id", "value": "1", "default": "", "changed": True}
    assert not settings["lease.ttl"]["changed"]
    own = {one["name"]: one for one in state(page, daemon="logic/1")["daemon"]["settings"]}
    assert own["console.enabled"]["changed"] and "api.keys" in own
    comet = next(one for one in answer["daemons"] if (one["kind"], one["id"]) == ("comet", "1"))
    assert "rpc: ok" in comet["ready"] and comet["memory_limit"] > 0


def test_numbers_of_all_daemons_are_added_up(cluster, page, uid):
    token = cluster.logics[0].api.token(uid)
    with_session = TcpClient(cluster.comets[0].tcp).auth(token)
    end = time.monotonic() + 5 * SLOW
    while time.monotonic() < end:
        cluster.logics[1].api.push(uid, b"hello")
        time.sleep(0.05)

    def column(name):
        answer = state(page)
        index = [one["name"] for one in answer["series"]].index(name)
        return [row[index] for row in answer["rows"] if row is not None]

    wait_for(lambda: sum(column("pushes")) >= 10 and sum(column("deliveries")) >= 10 and column("sessions")[-1] >= 1, 20,
             lambda: f"pushes {column('pushes')[-6:]} deliveries {column('deliveries')[-6:]}")
    assert max(column("latency_us")) > 0 and column("memory")[-1] > 1 << 20
    assert 0 < max(column("typical_us")) <= max(column("delivery_us")) < 60e6 and max(column("lag_us")) > 0
    with_session.close()


def test_an_open_page_gets_only_what_is_new(page):
    whole = state(page)
    assert len(whole["rows"]) == whole["slots"]
    more = state(page, since=whole["slot"])
    assert len(more["rows"]) <= 1 and more["from"] > whole["slot"]
    assert page.call("GET", "/console/state?since=x")[0] == 400


def test_refusals_say_what_where_and_how_often(cluster, page):
    for _ in range(3):
        assert cluster.logics[0].api.call("POST", "/v1/push", "{", {"Content-Type": "application/json"})[0] == 400

    def found():
        return [one for one in state(page, refusals="yes")["refusals"]
                if one["kind"] == "logic" and one["name"] == 'imc_logic_refused_total{reason="parameter"}' and one["lately"] >= 3]

    wait_for(found, 10, "the refusals")
    assert "refusals" not in state(page)


def test_refusals_name_the_key(cluster, page, keys):
    key = {"Authorization": f"Bearer {keys['watcher'][0]}", "Content-Type": "application/json"}
    for logic in cluster.logics:
        assert logic.api.call("POST", "/v1/push", '{"to":{"all":true},"body":1}', key)[0] == 403
        assert logic.api.call("GET", "/v1/mailbox?uid=x", None, key)[0] == 400

    def found():
        return {(one["id"], one["key"], one["name"]) for one in state(page, refusals="yes")["refusals"]
                if "key" in one and one["total"] >= one["lately"] >= 1}

    wanted = {(logic, "watcher", why) for logic in ("1", "2") for why in ("scope", "parameter")}
    wait_for(lambda: wanted <= found(), 20, lambda: f"the refusals of the key, got {found()}")


def test_pushes_to_rooms_are_counted(cluster, page, uid):
    room = f"live://counted-{uid}"
    for turn in range(6):
        cluster.logics[turn % 2].api.push_room(room, "hello")

    def pushes():
        return [other["pushes"] for one in state(page, rooms="yes")["rooms"] for other in one["rooms"] if other["room"] == room]

    wait_for(lambda: pushes() == [3, 3], 40, lambda: f"pushes to the room: {pushes()}")
    assert "rooms" not in state(page)


def test_a_comet_is_drained_and_takes_clients_again(cluster, page):
    def takes():
        return next(one for one in state(page)["daemons"] if (one["kind"], one["id"]) == ("comet", "2"))["takes_clients"]

    assert page.call("POST", "/v1/comets/drain", {"server": "2"})[0] == 200
    wait_for(lambda: not takes(), 10, "comet 2 to drain")
    assert page.call("POST", "/v1/comets/undrain", {"server": "2"})[0] == 200
    wait_for(takes, 10, "comet 2 to take clients")
    wait_for(cluster.comets[1].ready, 10, "comet 2 to be ready")


def test_a_logic_that_begins_anew_gets_the_hour(cluster, keys):
    logic = cluster.logics[1]
    logic.kill9()
    logic.start()
    wait_for(logic.ready, 20, "logic 2")
    page = Page(logic)
    assert page.log_in(keys["ops"][0])[0] == 200

    def rows():
        answer = state(page, daemon="router/1")
        return [row for row in answer.get("daemon", {"rows": []})["rows"] if row is not None]

    wait_for(lambda: len(rows()) >= 2, 25, lambda: f"the series of router 1: {rows()}")
    own = json.loads(Api(logic.http).request("GET", "/console/session")[1])
    assert own == {"login": False, "needs_key": True, "why": ""}


def test_a_daemon_that_stands_still_is_away_and_one_that_is_gone_stays(cluster, page):
    def router():
        return next((one for one in state(page)["daemons"] if (one["kind"], one["id"]) == ("router", "2")), None)

    wait_for(lambda: router() and not router().get("away", True), 20, "router 2 to report")
    cluster.routers[1].pause()
    wait_for(lambda: router()["away"], 30, "router 2 to be away")
    wait_for(lambda: router()["gone"], 30, "router 2 to be gone")
    cluster.routers[1].resume()
    wait_for(lambda: router() and not router()["away"], 30, "router 2 to be back")
    wait_for(cluster.routers[1].ready, 30, "router 2 to be ready")


@pytest.fixture
def no_keys(make_cluster):
    return make_cluster(env={"IMC_LOGIC_CONSOLE_ENABLED": "yes"})


def test_without_keys_this_machine_needs_no_login(no_keys):
    page = Page(no_keys.logics[0])
    answer = page.call("GET", "/console/session")[1]
    assert answer["login"] and not answer["needs_key"] and answer["scopes"] == ["read", "push", "admin"]
    assert page.call("GET", "/console/state")[0] == 200
    assert page.call("POST", "/console/login", {"key": "x"})[0] == 400
    for more in ({"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}, {"X-Forwarded-For": "10.0.0.1"}):
        assert page.call("GET", "/console/state", **more)[0] == 401, more
        assert not page.call("GET", "/console/session", **more)[1]["login"], more


def test_settings_that_a_reload_changes_are_shown(no_keys, tmp_path):
    logic, comet = no_keys.logics[0], no_keys.comets[0]
    page = Page(logic)

    def set_to(number, begin=False):
        for daemon, text in ((logic, f"[mailbox]\nlimit = {number}\n"),
                             (comet, f"[session]\nframes_per_second = {number}\nframes_burst = {number}\n")):
            path = tmp_path / f"{daemon.kind}.ini"
            if begin:
                from_file(daemon, path, text, "MAILBOX_LIMIT", "SESSION_FRAMES_PER_SECOND", "SESSION_FRAMES_BURST")
            else:
                path.write_text(text, encoding="ascii")
                assert daemon.get("/reload", method="POST")[0] == 200

    def shown(daemon, name):
        answer = state(page, daemon=f"{daemon.kind}/1").get("daemon", {"settings": []})
        return next((one["value"] for one in answer["settings"] if one["name"] == name), None)

    def show(number):
        for daemon, name in ((logic, "mailbox.limit"), (comet, "session.frames_per_second")):
            wait_for(lambda: shown(daemon, name) == number, 20, lambda: f"{name}: {shown(daemon, name)}, not {number}")

    set_to(77, begin=True)
    no_keys.wait_ready()
    show("77")
    set_to(78)
    show("78")


# --- in a browser ---

def browser():
    """The Chromium to be used; skips where something lacks."""
    if shutil.which("node") is None or not MODULES.is_dir():
        pytest.skip("the console was built without Node: scripts/install-deps console")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium: scripts/install-deps browser installs Debian's")
    return found


class Traffic:
    """Users who are there, and pushes to them, while a test goes on."""

    def __init__(self, cluster, first):
        self.cluster = cluster
        self.uids = list(range(first, first + 12))
        self.ends = threading.Event()
        self.clients = []
        for n, uid in enumerate(self.uids):
            token = cluster.api.token(uid, room=f"lobby-{n % 3}")
            self.clients.append(TcpClient(cluster.comets[n % 2].tcp).auth(token))
        self.clients.append(goim.TcpClient(cluster.comets[0].tcp))
        self.clients[-1].auth(token=cluster.api.token(self.uids[1]), key=f"tv-{self.uids[1]}", accepts=[1000, 1001])
        self.away = first + 100
        for n in range(3):
            cluster.api.push(self.away, json.dumps({"text": f"waits {n}"}))
        self.thread = threading.Thread(target=self._push, daemon=True)
        self.thread.start()

    def _push(self):
        turn = 0
        while not self.ends.wait(0.03):
            turn += 1
            logic = self.cluster.logics[turn % 2]
            try:
                logic.api.push(self.uids[turn % 12], json.dumps({"text": "hello", "turn": turn}))
                if turn % 20 == 0:
                    logic.api.push_room(f"lobby-{turn % 3}", '{"text":"to the room"}')
                if turn % 25 == 0:
                    logic.api.call("POST", "/v1/push", "{", {"Content-Type": "application/json"})
            except OSError:
                pass

    def stop(self):
        self.ends.set()
        self.thread.join()
        for client in self.clients:
            client.close()


def test_the_pages_in_a_browser(cluster, keys, uid):
    chromium = browser()
    traffic = Traffic(cluster, uid * 1000)
    shots = os.environ.get("CONSOLE_SHOTS", "")
    try:
        ran = subprocess.run(
            ["node", str(WALK)], capture_output=True, text=True, timeout=(300 if shots else 240) * SLOW, env={
                **os.environ, "NODE_PATH": str(MODULES), "CHROMIUM": chromium, "ROOT_USER": "1" if os.geteuid() == 0 else "",
                "URL": f"http://127.0.0.1:{cluster.logics[0].http}", "KEY": keys["ops"][0], "READ_KEY": keys["watcher"][0],
                "USER_ONLINE": str(traffic.uids[0]), "USER_AWAY": str(traffic.away), "SHOTS": shots,
            }, check=False)
    finally:
        traffic.stop()
    print(ran.stdout)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
