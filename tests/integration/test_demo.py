"""The page at /demo (demo.enabled), used by a real Chromium: two users, a room, ticks; keys; what is not served."""
import pytest

import cdp
from cluster import ROOT, wait_for

KEY = "key-of-the-demo"
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def chromium():
    made = cdp.Chromium()
    yield made
    made.stop()


@pytest.fixture(scope="module", params=["no-keys", "keys"])
def cluster(request, bus):
    from cluster import Cluster
    keys = request.param == "keys"
    env = {"IMC_LOGIC_DEMO_ENABLED": "yes", **({"IMC_LOGIC_API_KEYS": KEY} if keys else {})}
    made = Cluster(bus, env=env, key=KEY if keys else None).wait_ready()
    yield made
    made.stop()


class Demo:
    """The page, used as a person would."""

    def __init__(self, chromium, cluster):
        self.page = cdp.Page(chromium, f"http://127.0.0.1:{cluster.logics[0].http}/demo")
        self.cluster = cluster
        self.wait("document.readyState === 'complete' && document.getElementById('comet')?.value !== ''", "the page")

    def wait(self, condition, what, timeout=20):
        wait_for(lambda: self.page.run(condition), timeout, lambda: f"{what}: {self.page.run('document.body.innerText')}")

    def fill(self, selector, value):
        self.page.run(f"document.querySelector({selector!r}).value = {value!r}; undefined")

    def click(self, selector):
        self.page.run(f"document.querySelector({selector!r}).click(); undefined")

    def start(self, key="", comet=None):
        self.fill("#key", key)
        self.fill("#comet", comet or "ws://{}:{}/sub".format(*self.cluster.comets[0].ws))
        self.click("#setup button")

    def started(self):
        self.start(self.cluster.key or "")
        for who in ("alice", "bob"):
            self.state(who, "online")
        return self

    def state(self, who, begin):
        self.wait(f"document.querySelector('#{who} .state')?.innerText.startsWith({begin!r})", f"{who} to be {begin}")

    def say(self, who, text, to="room"):
        self.fill(f"#{who} .to", to)
        self.fill(f"#{who} .text", text)
        self.click(f"#{who} .composer button")

    def messages(self, who):
        """[(whose, words, ticks)]"""
        return [tuple(row) for row in self.page.run(
            f"[...document.querySelectorAll('#{who} .messages li')].map((li) => [li.className, "
            "li.querySelector('.words').textContent, li.querySelector('.ticks').textContent])")]

    def shows(self, who, *messages):
        wait_for(lambda: self.messages(who) == list(messages), 20,
                 lambda: f"{who} to have {messages}: {self.messages(who)}")


@pytest.fixture
def demo(chromium, cluster):
    made = Demo(chromium, cluster)
    yield made
    made.page.close()


def test_messages_and_their_ticks(demo):
    demo.started()
    demo.say("alice", "to all")
    demo.shows("bob", ("theirs", "to all", ""))
    demo.shows("alice", ("mine", "to all", "✓✓"))
    demo.say("bob", "to you", to="user")
    demo.shows("alice", ("mine", "to all", "✓✓"), ("theirs", "to you", ""))
    demo.shows("bob", ("theirs", "to all", ""), ("mine", "to you", "✓✓"))
    assert not demo.page.faults, demo.page.faults


def test_who_is_away_gets_it_later(demo):
    demo.started()
    demo.click("#bob .switch")
    demo.state("bob", "the client was closed")
    demo.say("alice", "for later", to="user")
    demo.shows("alice", ("mine", "for later", "✓"))
    demo.click("#bob .switch")
    demo.shows("bob", ("theirs", "for later", ""))
    demo.shows("alice", ("mine", "for later", "✓✓"))


def test_what_is_said_is_text(demo):
    demo.started()
    demo.say("alice", SCRIPT)
    demo.shows("bob", ("theirs", SCRIPT, ""))
    demo.cluster.api.push_all("this is no JSON")
    demo.say("alice", "still there")
    demo.shows("bob", ("theirs", SCRIPT, ""), ("theirs", "still there", ""))
    assert demo.page.run("document.querySelectorAll('.messages img, .messages script').length") == 0
    assert not demo.page.faults, demo.page.faults


def test_the_policy_keeps_inline_scripts_out(demo):
    """As if a message had become HTML after all."""
    demo.page.run("document.body.insertAdjacentHTML('beforeend', '<img src=data:x onerror=window.wasRun=1>'); undefined")
    wait_for(lambda: any("Content Security Policy" in fault for fault in demo.page.faults), 10, "Chromium's complaint")
    assert demo.page.run("window.wasRun") is None
    assert demo.page.run("fetch('http://127.0.0.1:1/').then(() => 'sent', (e) => 'kept')") == "kept"


def test_without_the_key_nothing_is_made(demo):
    if demo.cluster.key is None:
        pytest.skip("without keys this machine may make tokens")
    demo.start("wrong")
    demo.state("alice", "getToken failed: /1/admin/token/new: wrong key")
    demo.start("")
    demo.state("alice", "getToken failed: /1/admin/token/new: key missing")
    demo.started()


def test_what_is_served(cluster):
    """The files as they are in the repository; each with the headers."""
    status, text, headers = cluster.api.request("GET", "/demo")
    assert (status, text, headers["Location"]) == (302, "", "/demo/")
    sources = ROOT / "sdk" / "js"
    for path, file in [("/demo/", "demo/index.html"), ("/demo/demo.js", "demo/demo.js"), ("/demo/demo.css", "demo/demo.css"),
                       *[(f"/demo/imc/{one.name}", f"src/{one.name}") for one in (sources / "src").iterdir()]]:
        status, text, headers = cluster.api.request("GET", path, headers={"Authorization": "Bearer nobody's"})
        assert status == 200 and text == (sources / file).read_text(encoding="utf-8"), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["Access-Control-Allow-Origin"] is None
    for path in ("/demo/index.html", "/demo/imc/", "/demo/imc/none.js", "/demo/imc", "/demox"):
        assert cluster.api.request("GET", path)[0] == 404, path
    for path in ("/demo", "/demo/"):
        assert cluster.api.request("POST", path)[0] == 405, path
    assert cluster.api.request("GET", "/demo/../1/count")[0] == 400


def test_it_is_off_unless_enabled(shared, strict):
    """As if there were no such path, for those with a key and for those without."""
    for path in ("/demo", "/demo/", "/demo/demo.js", "/demo/imc/index.js"):
        assert shared.api.request("GET", path)[0] == 404
        assert strict.api.request("GET", path)[0] == 404
        assert strict.api.request("GET", path, headers={"Authorization": "Bearer none"})[0] == 401
