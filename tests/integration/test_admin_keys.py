"""The admin listener: keys and scopes, what is open, a refusal to start where strangers could come."""
import http.client
import signal
import subprocess

import pytest

from cluster import BUILD, Daemon, Process, free_port, wait_for
from test_api_keys import new_key
from traffic import QUICK

KINDS = ("comet", "logic", "router", "job")
PAGES = ("/metrics", "/config", "/version", "/member", "/")


@pytest.fixture(scope="module")
def keys():
    return {scope: new_key(f"the-{scope}", scope) for scope in ("push", "read", "admin")}


@pytest.fixture(scope="module")
def files(keys, tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    (directory / "keys").write_text("".join(f"{line}\n" for _, line in keys.values()))
    (directory / "mine").write_text(keys["admin"][0] + "\n")
    return directory


@pytest.fixture
def cluster(own_cluster, keys, files, monkeypatch):
    """All daemons find each other by admin pages that want keys."""
    monkeypatch.setattr(Daemon, "admin_headers", {"Authorization": f"Bearer {keys['read'][0]}"})
    env = {**QUICK}
    for kind in KINDS:
        env[f"IMC_{kind.upper()}_ADMIN_KEYS_FILE"] = str(files / "keys")
        env[f"IMC_{kind.upper()}_MEMBERS_KEY_FILE"] = str(files / "mine")
    return own_cluster(env=env, members=[])


def ask(daemon, path, key, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=10)
    connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_pages_want_a_key_of_scope_read(cluster, keys):
    for daemon in cluster.daemons():
        for path in PAGES:
            assert ask(daemon, path, None)[0] == 401, (daemon.name, path)
            assert ask(daemon, path, "guess")[0] == 401
            status, text = ask(daemon, path, keys["push"][0])
            assert status == 403 and "scope read" in text
            assert ask(daemon, path, keys["read"][0])[0] == 200
            assert ask(daemon, path, keys["admin"][0])[0] == 200
        assert ask(daemon, "/no-such-page", None)[0] == 401
        for path in ("/healthz", "/readyz", "/readyz?for=push"):
            assert ask(daemon, path, None)[0] == 200


def test_what_changes_something_wants_scope_admin(cluster, keys):
    router = cluster.routers[0]
    say = "/member?kind=comet&id=1&epoch=1&leaving=1"

    def all_are_logged():  # of refusals, ten a second
        assert ask(router, say, None, "POST")[0] == 401
        status, text = ask(router, say, keys["read"][0], "POST")
        assert status == 403 and "scope admin" in text
        assert ask(router, say, keys["admin"][0], "POST")[0] == 200
        return all(line in router.log() for line in lines)

    lines = ["listener=admin who=nobody address=127.0.0.1 method=POST route=/member outcome=401 why=key",
             "listener=admin who=the-read address=127.0.0.1 method=POST route=/member outcome=403 why=scope",
             "listener=admin who=the-admin address=127.0.0.1 method=POST route=/member outcome=admitted why=ok"]
    wait_for(all_are_logged, what=lambda: router.log()[-2000:], every=0.4)
    assert not any(key in router.log() for key, _ in keys.values())
    assert router.metrics()["imc_admin_refused_total"] >= 2


def test_members_find_each_other_with_keys(cluster):
    """They do so by /member alone, so all that the fixture waits for is proof: pushes work."""
    assert cluster.api.push_all("x") == {"ret": 1}
    assert cluster.sum("router", "imc_members_silent") == 0


def test_health_needs_no_key(cluster, files):
    env = {"IMC_ROUTER_ADMIN_LISTEN": f"127.0.0.1:{cluster.routers[0].admin}", "IMC_ROUTER_ADMIN_KEYS_FILE": str(files / "keys")}
    subprocess.run([str(BUILD / "router" / "imc-router"), "--health"], env=env, check=True)


def test_a_key_that_is_taken_out_ends_with_sighup(cluster, keys, files):
    router, path = cluster.routers[0], files / "keys"
    before = path.read_text()
    path.write_text(f"{keys['read'][1]}\n{keys['admin'][1]}\n")
    router.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: ask(router, "/metrics", keys["push"][0])[0] == 401, what="the key to be refused")
    path.write_text("broken\n")
    router.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: f"{path}:1: fewer" in router.log(), what="the refusal of the file")
    assert ask(router, "/metrics", keys["read"][0])[0] == 200  # the old ones stay
    path.write_text(before)
    router.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: ask(router, "/metrics", keys["push"][0])[0] == 403, what="the key to be known again")


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_loopback_a_daemon_wants_keys_or_a_word(kind, files):
    def check(**settings):
        env = {f"IMC_{kind.upper()}_{name}": value for name, value in settings.items()}
        run = subprocess.run([str(BUILD / kind / f"imc-{kind}"), "--check"], capture_output=True, text=True, env=env,
                             check=False)
        return run.returncode, run.stderr

    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:8093"):
        code, said = check(ADMIN_LISTEN=listen)
        assert code == 1 and all(word in said for word in ("admin.keys_file", "admin.insecure", "--new-key", listen)), said
        assert check(ADMIN_LISTEN=listen, ADMIN_INSECURE="yes") == (0, "")
        assert check(ADMIN_LISTEN=listen, ADMIN_KEYS_FILE=str(files / "keys")) == (0, "")
    for listen in ("127.0.0.1:0", "[::1]:0", "localhost:0"):
        assert check(ADMIN_LISTEN=listen) == (0, "")


def own_address():
    """An address of this machine that is not loopback; what is sent to it does not leave the machine."""
    for line in subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split():
        if "." in line:
            return line
    return None


def test_a_stranger_is_told_no_reasons(tmp_path, files):
    host = own_address()
    if host is None:
        pytest.skip("this machine has no address but loopback")
    admin, nowhere = free_port(), free_port()
    router = Process("router", [str(BUILD / "router" / "imc-router")], {
        "IMC_ROUTER_ADMIN_LISTEN": f"0.0.0.0:{admin}", "IMC_ROUTER_ADMIN_KEYS_FILE": str(files / "keys"),
        "IMC_ROUTER_RPC_LISTEN": "127.0.0.1:0", "IMC_ROUTER_REDIS_SERVERS": f"127.0.0.1:{nowhere}"}, tmp_path)

    def ready(host, key=None):
        connection = http.client.HTTPConnection(host, admin, timeout=10)
        connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        return response.status, response.read().decode()

    try:
        wait_for(lambda: "admin pages" in router.log(), what="the router to listen")
        assert ready(host) == (503, "not ready\n")
        assert ready(host, "guess") == (503, "not ready\n")
        status, text = ready("127.0.0.1")
        assert status == 503 and "redis: not ready: " in text
    finally:
        router.term()
