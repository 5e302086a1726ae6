"""imc against a cluster: each command that asks one, by what it prints, what it changes, and its exit code."""
import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest

import imgo
from cli import BINARY, Imc, rows
from cluster import SLOW, free_port, wait_for


@pytest.fixture
def imc(shared):
    return Imc(shared.logics[0])


def device(shared, token):
    return imgo.TcpClient(shared.comets[0].tcp).auth(token)


def test_a_token_is_made_and_revoked(shared, imc, uid):
    token = imc.ok("token", "new", uid, "--expire", "1h", "--room", f"r{uid}", "--room", "beside").strip()
    client = device(shared, token)
    assert imc.ok("token", "revoke", "-", stdin=token + "\n") == "1 session: ended\n"
    client.kicked(1)
    assert imc.fails(7, "token", "revoke", token).startswith("imc token revoke: 404 not_found: ")


def test_a_token_of_ones_own(shared, imc, uid):
    answer = imc.json("token", "new", uid, "--token", f"mine-{uid}", "--expire", "0")
    assert answer == {"token": f"mine-{uid}", "uid": uid, "expire": 0}
    device(shared, f"mine-{uid}").close()


def test_sessions_are_listed_and_kicked(shared, imc, uid):
    assert imc.ok("sessions", uid) == "no session\n"
    client = device(shared, shared.api.token(uid))
    wait_for(lambda: rows(imc.ok("sessions", uid)), 5, "the session")
    [row] = rows(imc.ok("sessions", uid))
    assert re.fullmatch(r"[0-9a-f]{16}\.1", row[0]) and row[1] == "1", row
    assert imc.json("sessions", uid)["sessions"][0]["session"] == row[0]
    assert imc.ok("kick", uid, "--session", row[0], "--reason", "signed out") == "1 session: ended\n"
    assert client.kicked(7) == "signed out"
    wait_for(lambda: imc.ok("kick", uid) == "0 sessions: ended\n", 5, "nobody to be left")


def test_a_user_is_blocked(shared, imc, uid):
    token = shared.api.token(uid)
    client = device(shared, token)
    assert imc.ok("block", uid, "--for", "1h", "--reason", "flood") == "1 session: ended, and the user is blocked\n"
    client.kicked(7)
    assert "how long" in imc.fails(2, "block", uid)
    again = imgo.TcpClient(shared.comets[0].tcp)
    again.send_auth(token)
    again.kicked(7)
    assert imc.ok("unblock", uid) == f"user {uid} is let in again\n"
    assert imc.fails(7, "unblock", uid).startswith("imc unblock: 404 ")
    device(shared, token).close()


def test_rooms(shared, imc, uid):
    room = f"live://cli-{uid}"
    client = device(shared, shared.api.token(uid))
    assert imc.ok("rooms", "--prefix", room) == "no room\n"
    assert imc.ok("rooms", "join", uid, room) == "1 session: in the room\n"
    wait_for(lambda: rows(imc.ok("rooms", "--prefix", room)) == [[room, "1"]], 10, "the room")
    assert imc.json("rooms", "--room", room)["rooms"] == [{"room": room, "sessions": 1}]
    assert imc.ok("rooms", "leave", uid, room) == "1 session: out of the room\n"
    assert "needs a UID" in imc.fails(2, "rooms", "join", room)
    client.close()


def test_a_push_is_printed_with_its_id(shared, imc, uids):
    uid, other = uids(2)
    client = device(shared, shared.api.token(uid))
    [row] = rows(imc.ok("push", "--uid", uid, '{"n": 1.50}'))
    assert row[1] == str(uid) and row[0].isdigit()
    assert client.push() == b'{"n": 1.50}'
    imc.ok("push", "--uid", uid, "--bytes", '{"n":1}')
    assert client.push() == b'{"n":1}'
    imc.ok("push", "--uid", uid, stdin="not json, äöü")
    assert client.push() == "not json, äöü".encode()
    ids = imc.ok("push", "--uid", f"{uid},{other}", "--quiet", "hello").splitlines()
    assert len(ids) == 2 and all(id.isdigit() for id in ids) and client.push() == b"hello"
    answer = imc.json("push", "--uid", f"{uid},{other}", "--ttl", "1m", "--id", f"id-{uid}", "hello")
    assert answer["accepted"] == 2
    again = imc.ok("push", "--uid", f"{uid},{other}", "--ttl", "1m", "--id", f"id-{uid}", "hello")
    assert "nothing was pushed again" in again
    assert "to whom" in imc.fails(2, "push", "hello")
    assert "to whom" in imc.fails(2, "push", "--uid", uid, "--all", "hello")
    client.close()


def test_what_waits_is_listed_and_deleted(shared, imc, uid):
    assert imc.ok("mailbox", uid) == "nothing waits\n"
    ids = [imc.json("push", "--uid", uid, f"m{n}")["messages"][0]["id"] for n in range(3)]
    wait_for(lambda: shared.mailbox(uid) == 3, 10, "the mailbox")
    listed = rows(imc.ok("mailbox", uid))
    assert [(row[0], row[-1]) for row in listed] == list(zip(ids, ["m0", "m1", "m2"]))
    assert len(imc.json("mailbox", uid, "--limit", "2")["messages"]) == 2
    assert imc.ok("mailbox", "delete", uid, ids[1]) == "deleted\n"
    assert [row[0] for row in rows(imc.ok("mailbox", uid))] == ids[2:]
    assert "400 invalid" in imc.fails(4, "mailbox", "delete", uid, "x")


def test_a_push_for_later_is_taken_back(imc, uid):
    out = imc.ok("push", "--uid", uid, "--in", "1h", "later")
    number = re.fullmatch(r"scheduled (\S+) for \S+ \S+Z\n", out)[1]
    assert number in imc.ok("scheduled")
    assert imc.ok("scheduled", "cancel", number) == "taken back\n"
    imc.fails(7, "scheduled", "cancel", number)


def test_a_message_is_traced(shared, imc, uid):
    client = device(shared, shared.api.token(uid))
    number = imc.json("push", "--trace", "--uid", uid, "hello")["messages"][0]["id"]
    client.push()
    wait_for(lambda: imc.run("trace", number)[1].startswith("state: written\n"), 10, "the steps")
    steps = imc.ok("trace", number).split("\n\n")[-1]
    assert {row[3] for row in rows(steps)} >= {"accepted", "produced", "read", "sent", "written"}, steps
    assert f"uid={uid}" in steps
    assert imc.json("trace", number)["state"] == "written"
    assert dict(rows(imc.ok("trace", "--push", number)))["accepted"] == "1"
    assert imc.fails(7, "trace", "1").startswith("imc trace: 404 ")
    client.close()


def test_the_cluster_is_listed(imc):
    kinds = [row[0] for row in rows(imc.ok("cluster"))]
    assert sorted(kinds) == ["comet", "job", "logic", "router"]
    assert imc.json("cluster")["takes_pushes"] is True


def test_a_text_of_others_cannot_move_the_cursor(shared, imc, uid):
    imc.ok("push", "--uid", uid, "--bytes", "\x1b[2Jab\u202ecd\n")
    wait_for(lambda: shared.mailbox(uid) == 1, 10, "the mailbox")
    out = imc.ok("mailbox", uid)
    assert r"\x1b[2Jab\xe2\x80\xaecd\x0a" in out and "\x1b" not in out


def test_any_call(imc):
    assert json.loads(imc.ok("api", "GET", "/v1/rooms?limit=1"))["complete"] is True
    assert imc.fails(4, "api", "GET", "/v1/nothing").startswith("imc api: this logic does not know the call")
    problem = json.loads(imc.run("api", "GET", "/v1/rooms?limit=x", "--json")[2])
    assert problem["code"] == "invalid"
    assert "begins with /" in imc.fails(2, "api", "GET", "v1")


# --- top ---

def test_top_without_a_terminal(imc):
    out = imc.ok("top", "--count", "2", "--every", "1")
    assert out.count("1 comets  1 logics  1 routers  1 jobs") == 2 and "\x1b" not in out
    looks = [json.loads(line) for line in imc.ok("top", "--json", "--count", "2", "--every", "1").splitlines()]
    assert len(looks) == 2 and all(len(look["cluster"]["daemons"]) == 4 for look in looks)


class Terminal:
    """A program on a pseudo terminal of LINES lines."""

    def __init__(self, env, *args, lines=10):
        main, side = pty.openpty()
        subprocess.run(["stty", "rows", str(lines), "cols", "60"], stdin=side, check=True)
        self.before = subprocess.run(["stty", "-g"], stdin=side, capture_output=True, check=True).stdout
        self.popen = subprocess.Popen([str(BINARY), *args], env=env, stdin=side, stdout=side, stderr=subprocess.PIPE)
        self.main, self.side, self.text = main, side, b""
        os.set_blocking(main, False)

    def read(self):
        try:
            self.text += os.read(self.main, 65536)
        except BlockingIOError:
            pass
        return self.text

    def end(self):
        code = self.popen.wait(10 * SLOW)
        after = subprocess.run(["stty", "-g"], stdin=self.side, capture_output=True, check=True).stdout
        self.read()
        os.close(self.main)
        os.close(self.side)
        return code, self.popen.stderr.read(), after == self.before


@pytest.mark.parametrize("how", ["key", "signal"])
def test_top_on_a_terminal_gives_it_back(imc, how):
    terminal = Terminal({**imc.env, "TERM": "xterm"}, "top", "--every", "1h")
    wait_for(lambda: b"logics" in terminal.read() and b"\x1b[J" in terminal.text, 10, "the screen")
    drawn = terminal.text.split(b"\x1b[H")[1]
    assert drawn.count(b"\n") <= 9 and b"\x1b[?1049h" in terminal.text
    assert all(len(re.sub(rb"\x1b\[[^A-Za-z]*[A-Za-z]", b"", line)) <= 61 for line in drawn.split(b"\n")[3:])
    if how == "key":
        os.write(terminal.main, b"q")
    else:
        terminal.popen.send_signal(signal.SIGTERM)
    code, words, same = terminal.end()
    assert (code, words, same) == (0, b"", True)
    assert terminal.text.endswith(b"\x1b[?25h\x1b[?1049l")


# --- what goes wrong ---

def test_nobody_listens():
    begin = time.monotonic()
    assert "connection refused" in Imc(url=f"http://127.0.0.1:{free_port()}").fails(3, "cluster")
    assert time.monotonic() - begin < 3 * SLOW


def test_something_else_answers(shared):
    other = Imc(url=f"http://127.0.0.1:{shared.comets[0].admin}")
    assert "something else than a logic" in other.fails(4, "cluster")


def test_a_wrong_word(imc):
    assert "unknown command: clustr" in imc.fails(2, "clustr")
    assert "one of token new, token revoke" in imc.fails(2, "token")
    assert "unknown option: --uuid" in imc.fails(2, "push", "--uuid", "1")
    assert "a value is missing after --uid" in imc.fails(2, "push", "--uid")
    assert "unexpected argument: b" in imc.fails(2, "sessions", "1", "b")
    assert "whole number of 64 bits: x" in imc.fails(2, "sessions", "x")
    assert "--limit takes a whole number" in imc.fails(2, "rooms", "--limit", "-1")
    assert "--for takes a time" in imc.fails(2, "block", "1", "--for", "1w")
