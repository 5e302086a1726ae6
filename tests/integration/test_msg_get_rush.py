"""Many calls of /1/msg/get at once, of one user whose mailbox is full: Redis is asked for a few pages at a time, so that it
goes on answering others, and callers that do not read their answers do not make logic large."""
import socket
import time

import pytest

from cluster import SLOW, wait_for

SIZE, WAITING, CALLS = 50_000, 20, 200


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(env={"IMC_LOGIC_REDIS_TIMEOUT": "300ms"} if SLOW == 1 else {})


@pytest.fixture
def full(cluster, uid):
    """The path that asks for a full mailbox."""
    token = cluster.api.token(uid)
    for i in range(WAITING):
        cluster.api.push(uid, f"{i}:".ljust(SIZE, "x"))
    wait_for(lambda: cluster.mailbox(uid) == WAITING, what="the mailbox to be full")
    return f"/1/msg/get?uid={uid}&token={token}"


def ask(cluster, path, rcvbuf=None):
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(30 * SLOW)
    sock.connect(("127.0.0.1", cluster.logics[0].http))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return sock


def answer_of(sock):
    with sock:
        data = b"".join(iter(lambda: sock.recv(1 << 20), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), len(body)


def ready(cluster):
    return cluster.logics[0].get("/readyz")[1].count("ok")


def test_all_are_answered_and_redis_answers_others(cluster, full, uids):
    other, before = uids(1)[0], ready(cluster)
    token = cluster.api.token(other)
    socks = [ask(cluster, full) for _ in range(CALLS)]
    begin = time.monotonic()
    assert cluster.api.waiting(other, token) == []
    assert time.monotonic() - begin < 1 * SLOW, "another user waits behind them"
    answers = {answer_of(sock) for sock in socks}
    assert len(answers) == 1 and next(iter(answers))[0] == 200, answers
    assert ready(cluster) == before
    assert "no answer within" not in cluster.logics[0].log()


def resident_mb(daemon):
    with open(f"/proc/{daemon.popen.pid}/status", encoding="ascii") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) / 1024


def test_answers_that_nobody_reads(cluster, full, uids):
    """They are few, and whoever reads gets his."""
    logic, before = cluster.logics[0], resident_mb(cluster.logics[0])
    unread = [ask(cluster, full, rcvbuf=2048) for _ in range(100)]
    wait_for(lambda: logic.metrics()["imc_logic_http_answers_bytes"] > 32 << 20, 20, "them to be as many as may be")
    assert logic.metrics()["imc_logic_http_answers_bytes"] < 48 << 20
    assert SLOW > 1 or resident_mb(logic) < before + 80
    other = uids(1)[0]
    assert cluster.api.waiting(other, cluster.api.token(other)) == []
    assert logic.metrics()["imc_logic_http_unread_total"] > 0
    for sock in unread:
        sock.close()
    wait_for(lambda: logic.metrics()["imc_logic_http_answers_bytes"] == 0, 20, "them to be forgotten")
    wait_for(lambda: SLOW > 1 or resident_mb(logic) < before + 16, 20, lambda: f"{before} MB, not {resident_mb(logic)}")
