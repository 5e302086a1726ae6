"""imc-client by both transports: what it prints, when it ends, and with which exit code."""
import json
import os
import queue
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from cluster import BUILD, SLOW, free_port, wait_for

BINARY = BUILD / "client" / "imc-client"
# Whatever the environment names as a proxy, the cluster's addresses are meant.
ENV = {**os.environ, "http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}


def launch(transport, address, token, *args):
    """TOKEN is a token, or a goim client's auth (a dict)."""
    auth = ["--goim", json.dumps(token)] if isinstance(token, dict) else ["--token", token]
    return subprocess.Popen([str(BINARY), f"--{transport}", address, *auth, *args], env=ENV,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class ImcClient:
    """A running imc-client; its lines come in as it prints them."""

    def __init__(self, transport, address, token, *args):
        self.popen = launch(transport, address, token, *args)
        self.lines = queue.Queue()
        self.words = b""  # of stderr
        self.threads = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_words)]
        for thread in self.threads:
            thread.start()

    def _read_lines(self):
        for line in self.popen.stdout:
            self.lines.put(line)

    def _read_words(self):
        for line in self.popen.stderr:
            self.words += line

    def authenticated(self):
        wait_for(lambda: b"authenticated" in self.words or self.popen.poll() is not None, 10, "the auth reply")
        assert b"authenticated" in self.words, self.words
        return self

    def line(self, timeout=5):
        return self.lines.get(timeout=timeout * SLOW).decode().removesuffix("\n")

    def end(self, timeout=10):
        """(exit code, the lines not yet taken, the words)"""
        code = self.popen.wait(timeout * SLOW)
        for thread in self.threads:
            thread.join()
        rest = [self.lines.get().decode().removesuffix("\n") for _ in range(self.lines.qsize())]
        return code, rest, self.words.decode()

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.end()


@pytest.fixture(params=["tcp", "ws"])
def run(request):
    """run(comet, token, args…) starts an imc-client by TCP, and by WebSocket."""
    started = []

    def start(comet, token, *args):
        address = comet if isinstance(comet, str) else "{}:{}".format(*getattr(comet, request.param))
        started.append(ImcClient(request.param, address, token, *args))
        return started[-1]

    start.transport = request.param
    yield start
    for client in started:
        client.close()


def as_body(run, text):
    """What was pushed, as the transport carries it: JSON over WebSocket."""
    return text if run.transport == "tcp" else json.dumps(text, ensure_ascii=False)


def escaped(text):
    return "".join("\\\\" if c == "\\" else f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in text)


def test_a_push_is_printed_on_one_line(shared, run, uid):
    client = run(shared.comets[0], shared.api.token(uid), "--count", "2").authenticated()
    text = 'two\nlines \\ "quoted"\t\x01\x7f ünï 推送'
    shared.api.push(uid, text.encode())
    shared.api.push(uid, '{"a": [1, 2]}')
    assert client.line() == "op=5 seq=0 body=" + escaped(as_body(run, text))
    assert client.line() == "op=5 seq=0 body=" + ('{"a": [1, 2]}' if run.transport == "tcp" else '{"a":[1,2]}')
    assert client.end() == (0, [], "imc-client: authenticated\n")


def test_pushes_are_printed_at_once(shared, run, uid):
    client = run(shared.comets[0], shared.api.token(uid)).authenticated()
    late = 0
    for i in range(50):
        shared.api.push(uid, str(i))
        begin = time.monotonic()
        assert client.line() == f"op=5 seq=0 body={i}"
        late += time.monotonic() - begin > 0.2 * SLOW
    assert late <= 2


def test_goims_client(shared, run, uid):
    room = f"live://{uid}"
    auth = {"mid": uid, "token": shared.api.token(uid), "room_id": room, "accepts": [5, 1000], "hello": True}
    client = run(shared.comets[0], auth, "--count", "43", "--heartbeat", "1").authenticated()
    text = 'two\nlines \\ "quoted" ünï 推送'
    shared.api.push(uid, text.encode(), op=1000)
    assert client.line() == "op=1000 seq=0 body=" + escaped(text)
    shared.api.push(uid, "no", op=1001)
    for i in range(41):
        shared.api.push_room(room, f"r{i}")
    assert [client.line() for _ in range(41)] == [f"op=5 seq=0 body=r{i}" for i in range(41)]
    wait_for(lambda: b"imc-client: 1 in the room\n" in client.words, 5, "the heartbeat's answer")
    shared.api.push(uid, "x" * 65536)
    assert client.end() == (0, ["op=5 seq=0 body=" + "x" * 65536], client.words.decode())


def test_goims_client_is_refused(shared, run, uid):
    code, lines, words = run(shared.comets[0], {"mid": uid}).end()
    assert (code, lines) == (4, []) and "code 1: auth: token is missing" in words, words


def test_raw_prints_the_bytes(shared, run, uid):
    client = run(shared.comets[0], shared.api.token(uid), "--raw", "--count", "1").authenticated()
    shared.api.push(uid, '"a\\\\b"')
    assert client.line() == '"a\\\\b"'
    assert client.end()[0] == 0


def test_big_pushes_and_batches(shared, run, uid):
    bodies = [str(i) + "x" * (65535 - len(str(i))) for i in range(15)]
    for body in bodies:
        shared.api.push(uid, body)
    wait_for(lambda: shared.mailbox(uid) == len(bodies), what="the mailbox to fill")
    client = run(shared.comets[0], shared.api.token(uid), "--raw", "--count", str(len(bodies) + 1))
    for body in bodies:
        assert client.line(10) == as_body(run, body)
    shared.api.push(uid, bodies[0])
    assert client.line() == as_body(run, bodies[0])
    assert client.end()[0] == 0


def test_a_refused_token_is_exit_code_4(shared, run):
    code, lines, words = run(shared.comets[0], "nobody has this").end()
    assert (code, lines) == (4, [])
    assert "disconnected by the server: code 1: " in words


def test_nobody_there_is_exit_code_3(run):
    address = f"127.0.0.1:{free_port()}"
    begin = time.monotonic()
    assert run(address, "t").end() == (3, [], f"imc-client: {address}: cannot connect: Connection refused\n")
    assert time.monotonic() - begin < 3 * SLOW


def test_localhost_by_name(shared, run, uid):
    comet = shared.comets[0]
    client = run(f"localhost:{getattr(comet, run.transport)[1]}", shared.api.token(uid), "--count", "1").authenticated()
    shared.api.push(uid, "1")
    assert client.line() == "op=5 seq=0 body=1"


def test_an_http_server_that_is_no_comet(shared):
    client = ImcClient("ws", f"127.0.0.1:{shared.comets[0].admin}", "t")
    code, _, words = client.end()
    assert code == 3
    assert "refused the WebSocket handshake: HTTP/1.1 404 " in words


def test_a_server_that_says_nothing():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = ImcClient("ws", "127.0.0.1:{}".format(*listener.getsockname()[1:]), "t")
        code, _, words = client.end(15)
    assert code == 3
    assert "no answer to the WebSocket handshake" in words


def test_too_few_in_time_is_exit_code_6(shared, run, uid):
    client = run(shared.comets[0], shared.api.token(uid), "--count", "2", "--timeout", "2").authenticated()
    shared.api.push(uid, "1")
    code, lines, words = client.end()
    assert (code, lines) == (6, ["op=5 seq=0 body=1"])
    assert words.endswith("imc-client: 1 of 2 messages in 2 s\n")


def test_time_over_without_a_count_is_success(shared, run, uid):
    begin = time.monotonic()
    code, lines, _ = run(shared.comets[0], shared.api.token(uid), "--timeout", "1").end()
    assert (code, lines) == (0, [])
    assert 1 <= time.monotonic() - begin < 3 * SLOW


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(shared, run, uid, number):
    client = run(shared.comets[0], shared.api.token(uid), "--count", "5").authenticated()
    client.popen.send_signal(number)
    assert client.end() == (0, [], "imc-client: authenticated\n")


def test_a_signal_while_connecting(run):
    """Nobody accepts, or answers the handshake: over TCP the auth reply is what it waits for."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = run("127.0.0.1:{}".format(*listener.getsockname()[1:]), "t")
        assert select.select([listener], [], [], 10 * SLOW)[0], "it was to connect"
        client.popen.send_signal(signal.SIGINT)
        assert client.end(3) == (0, [], "")


def test_its_heartbeats_keep_the_session(strict, run, uid):
    client = run(strict.comets[0], strict.api.token(uid), "--count", "1", "--heartbeat", "1").authenticated()
    time.sleep(4)  # comet ends a session after 1 s without one, and a grace
    strict.api.push(uid, "1")
    assert client.line() == "op=5 seq=0 body=1"
    assert client.end()[0] == 0


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_pipe_that_ends(shared, uid, transport):
    """imc-client | head -1: the next message ends it by SIGPIPE."""
    with launch(transport, "{}:{}".format(*getattr(shared.comets[0], transport)), shared.api.token(uid)) as client:
        try:
            shared.api.push(uid, "1")
            assert client.stdout.readline() == b"op=5 seq=0 body=1\n"
            client.stdout.close()
            shared.api.push(uid, "2")
            assert client.wait(5 * SLOW) == -signal.SIGPIPE
        finally:
            client.kill()


def test_a_comet_that_goes(own_cluster, run, uid):
    cluster = own_cluster()
    comet = cluster.comets[0]
    gentle = run(comet, cluster.api.token(uid)).authenticated()
    comet.term()
    code, lines, words = gentle.end()
    assert (code, lines) == (4, [])
    assert "disconnected by the server: code 9: " in words
    cluster = own_cluster()
    cut_off = run(comet, cluster.api.token(uid)).authenticated()
    comet.kill9()
    code, lines, words = cut_off.end()
    assert (code, lines) == (5, [])
    assert "closed the connection" in words or "reset" in words


@pytest.mark.parametrize("by", ("token", "goim"))
def test_it_acknowledges_what_it_printed(shared, run, uid, by):
    token = shared.api.token(uid)
    auth = token if by == "token" else {"token": token, "key": "phone"}
    client = run(shared.comets[0], auth, "--ack", "--count", "2").authenticated()
    for n in range(2):
        shared.api.push(uid, f"message-{n}")
    lines = [re.fullmatch('op=5 seq=([12]) id=([0-9]+) body="?message-([01])"?', client.line()) for _ in range(2)]
    assert [(line[1], line[3]) for line in lines] == [("1", "0"), ("2", "1")]
    assert int(lines[0][2]) < int(lines[1][2])
    assert client.end()[0] == 0
    # Not before: what the client has not read when it closes makes its kernel reset the connection, and comet may learn
    # of that before it reads the acknowledgement. Both would come again then.
    shared.api.push(uid, "message-2")
    wait_for(lambda: shared.mailbox(uid) == 1, 10, lambda: f"only the third to wait: {shared.mailbox(uid)} do")
    again = run(shared.comets[0], auth, "--ack", "--count", "1")
    assert "message-2" in again.line()
    assert again.end()[0] == 0
    wait_for(lambda: shared.mailbox(uid) == 0, 10, "the mailbox to be empty")
