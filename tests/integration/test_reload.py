"""Settings that change at run time: by SIGHUP and POST /reload. What would change: GET /changes and --check."""
import subprocess

import pytest

from certificates import hang_up, restart
from cluster import BUILD, wait_for
from imgo import HEARTBEAT, HEARTBEAT_REPLY, TcpClient, frame

BEFORE = 'session.frames_per_second: "1000" to "3"'


def from_file(daemon, path, text, *without):
    """DAEMON again, with the settings of TEXT in a file instead of those in the environment that are called WITHOUT."""
    for name in without:
        daemon.env.pop(f"IMC_{daemon.kind.upper()}_{name}", None)
    path.write_text(text, encoding="ascii")
    daemon.argv += ["-c", str(path)]
    restart(daemon)
    wait_for(daemon.ready, 20, f"{daemon.name} to be ready")


@pytest.fixture
def comet(make_cluster, tmp_path):
    """A comet whose settings stand in a file; comet.write(…) writes it anew."""
    cluster = make_cluster()
    comet = cluster.comets[0]
    tcp, path = "{}:{}".format(*comet.tcp), tmp_path / "comet.ini"

    def text(frames=1000, level="info", listen=tcp):
        return f"[session]\nframes_per_second = {frames}\nframes_burst = {frames}\n[log]\nlevel = {level}\n" \
               f"[tcp]\nlisten = {listen}\n"
    from_file(comet, path, text(), "TCP_LISTEN", "SESSION_FRAMES_PER_SECOND", "SESSION_FRAMES_BURST", "LOG_LEVEL")
    comet.write = lambda **settings: path.write_text(text(**settings), encoding="ascii")
    comet.path = path
    cluster.wait_ready()
    comet.api = cluster.api
    return comet


def reloads(daemon, result):
    return daemon.metrics().get(f'imc_reloads_total{{what="settings",result="{result}"}}', 0)


def test_a_limit_changes_for_those_who_are_there(comet, uid):
    client = TcpClient(comet.tcp).auth(comet.api.token(uid))
    comet.write(frames=3)
    assert comet.get("/changes") == (200, f'{BEFORE}: a reload changes it\n'
                                          'session.frames_burst: "1000" to "3": a reload changes it\n')
    client.sock.sendall(frame(HEARTBEAT) * 20)  # nothing has changed yet
    for _ in range(20):
        client.recv_op(HEARTBEAT_REPLY)
    status, text = comet.get("/reload", method="POST")
    assert status == 200
    assert text.startswith(f'{BEFORE}: changed\nsession.frames_burst: "1000" to "3": changed\nsettings: ok\n')
    assert "\ntls: ok\n" in text
    assert "frames_per_second = 3\n" in comet.get("/config")[1]
    assert comet.get("/changes") == (200, "")
    assert 'setting changed name=session.frames_per_second before="1000" now="3"' in comet.log()
    client.sock.sendall(frame(HEARTBEAT) * 20)
    assert client.wait_closed()["code"] == 10


def test_by_sighup_and_what_needs_a_restart(comet):
    assert " debug " not in comet.log()
    comet.write(level="debug", listen="127.0.0.1:1")
    assert comet.get("/changes") == (200, 'log.level: "info" to "debug": a reload changes it\n'
                                          f'tcp.listen: "{comet.tcp[0]}:{comet.tcp[1]}" to "127.0.0.1:1": needs a restart\n')
    hang_up(comet)
    wait_for(lambda: "reloaded what=settings" in comet.log(), 10, "comet to reload")
    assert f'setting needs a restart name=tcp.listen now="{comet.tcp[0]}:{comet.tcp[1]}" wanted="127.0.0.1:1"' in comet.log()
    assert "level = debug\n" in comet.get("/config")[1]
    assert comet.get("/changes")[1].count("\n") == 1
    assert reloads(comet, "ok") == 1


@pytest.mark.parametrize("line, why", [
    ("frames_per_second = many\n", '"many" is not accepted'),
    ("frames_per_minute = 3\n", "unknown setting session.frames_per_minute"),
    ("bytes_per_second = 1000\nbytes_burst = 1\n", "session.bytes_burst"),  # what the daemon itself checks
])
def test_a_bad_file_changes_nothing(comet, line, why):
    comet.path.write_text("[log]\nlevel = debug\n[session]\n" + line, encoding="ascii")
    status, text = comet.get("/changes")
    assert status == 422 and why in text
    status, text = comet.get("/reload", method="POST")
    assert status == 422
    assert "settings: failed, what was loaded before stays in use: " in text and why in text
    assert "\ntls: ok\n" in text  # the others go on
    assert "level = info\n" in comet.get("/config")[1]
    assert (reloads(comet, "ok"), reloads(comet, "failed")) == (0, 1)
    assert "cannot reload what=settings" in comet.log()


def test_check_compares_with_the_daemon_that_runs(comet):
    def check():
        return subprocess.run([str(BUILD / "comet/imc-comet"), "--check", "-c", str(comet.path)], env=comet.env,
                              capture_output=True, text=True, timeout=30, check=False)
    same = check()
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout == "configuration ok\n" \
                          f"beside the daemon that runs at 127.0.0.1:{comet.admin} (secrets are not compared):\n"
    comet.write(frames=3, listen="127.0.0.1:1")
    text = check().stdout
    assert f"{BEFORE}: a reload changes it\n" in text
    assert 'to "127.0.0.1:1": needs a restart\n' in text
    comet.kill9()
    assert check().stdout == "configuration ok\n"


def test_only_an_operator_reloads(comet):
    assert comet.get("/reload")[0] == 405
    assert comet.get("/reload", method="POST", headers={"Origin": "https://evil.example"})[0] == 403
    assert reloads(comet, "ok") == 0


def test_pushes_per_second_of_a_key(make_cluster, tmp_path, uid):
    cluster = make_cluster(key="key-one", env={"IMC_LOGIC_API_KEYS": "key-one"})
    logic, path = cluster.logics[0], tmp_path / "logic.ini"
    from_file(logic, path, "[api]\npush_rate = 0\n")
    for _ in range(20):
        assert cluster.api.request("POST", f"/1/push?uid={uid}", "x")[0] == 200
    path.write_text("[api]\npush_rate = 1\n", encoding="ascii")
    assert logic.get("/reload", method="POST")[0] == 200
    answers = [cluster.api.request("POST", f"/1/push?uid={uid}", "x")[0] for _ in range(20)]
    assert set(answers) == {200, 429}
    path.write_text("", encoding="ascii")  # the default again
    assert 'api.push_rate: "1" to "0": changed\n' in logic.get("/reload", method="POST")[1]
    for _ in range(20):
        assert cluster.api.request("POST", f"/1/push?uid={uid}", "x")[0] == 200
