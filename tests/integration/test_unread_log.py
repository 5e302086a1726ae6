"""Nobody reads standard error, a pipe that is full: no daemon waits for it, and what could not be said is counted and told."""
import fcntl
import os
import subprocess

import pytest

from cluster import Daemon, free_port, wait_for


class Unread(Daemon):
    """Its standard error is the pipe that READER is the other end of, full when it starts."""

    def start(self):
        self.asked = self.paused = False
        self.reader, writer = os.pipe()
        fcntl.fcntl(self.reader, fcntl.F_SETFL, os.O_NONBLOCK)
        # Opened once more: the flag is the open file's, and the daemon must not get one that has it.
        own = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (4096, 1):
            try:
                while os.write(own, b"." * size):
                    pass
            except BlockingIOError:
                pass
        os.close(own)
        self.popen = subprocess.Popen(self.argv, env={**os.environ, **self.env}, stderr=writer, stdout=subprocess.DEVNULL,
                                      stdin=subprocess.DEVNULL, start_new_session=True)
        self.shared = writer

    def read(self):
        try:
            return os.read(self.reader, 1 << 20).decode()
        except BlockingIOError:
            return ""

    def log(self):
        return "(nobody reads it)"


@pytest.fixture(params=["comet", "logic", "router", "job"])
def kind_env(request):
    kind = request.param
    env = {"REDIS": "127.0.0.1:1"}
    if kind == "logic":
        env["IMC_LOGIC_API_LISTEN"] = f"127.0.0.1:{free_port()}"
    if kind == "comet":
        env |= {f"IMC_COMET_{way}_LISTEN": f"127.0.0.1:{free_port()}" for way in ("TCP", "WS")}
    if kind in ("logic", "job"):
        env[f"IMC_{kind.upper()}_BUS_BROKERS"] = "127.0.0.1:1"
    return kind, 1, env


@pytest.fixture
def unread(kind_env, tmp_path):
    daemon = Unread(*kind_env, tmp_path)
    yield daemon
    daemon.kill9()


def test_a_full_pipe_holds_up_nobody(unread):
    wait_for(lambda: unread.get("/healthz")[0] == 200, 10, "an answer of a daemon whose log nobody reads")
    wait_for(lambda: unread.metrics()["imc_log_lost_total"] > 1, 10, "lines to be counted as lost")
    assert unread.read().strip(".") == ""
    text = ""

    def told():
        nonlocal text
        text += unread.read()
        return "log lines lost lines=" in text
    wait_for(told, 10, "the loss to be told once there is room")
    # The parent's end of it waits as before.
    assert not fcntl.fcntl(unread.shared, fcntl.F_GETFL) & os.O_NONBLOCK
    assert unread.term() == 0


def test_a_full_pipe_does_not_keep_a_daemon_from_ending(unread):
    wait_for(lambda: unread.get("/healthz")[0] == 200, 10, "an answer of a daemon whose log nobody reads")
    assert unread.term() == 0


class Bare(Unread):
    """Started with descriptors 0 to 2 closed."""

    def start(self):
        self.asked = self.paused = False
        self.popen = subprocess.Popen(["/bin/sh", "-c", 'exec "$0" <&- >&- 2>&-', *self.argv], env={**os.environ, **self.env},
                                      start_new_session=True)


def test_descriptors_that_are_missing_are_filled(kind_env, tmp_path):
    """Before main(): libraries open descriptors while they are loaded."""
    daemon = Bare(*kind_env, tmp_path)
    try:
        wait_for(lambda: daemon.get("/healthz")[0] == 200, 10, "an answer")
        assert [os.readlink(f"/proc/{daemon.popen.pid}/fd/{n}") for n in range(3)] == ["/dev/null"] * 3
        assert daemon.metrics()["imc_log_lost_total"] == 0
        assert daemon.term() == 0
    finally:
        daemon.kill9()
