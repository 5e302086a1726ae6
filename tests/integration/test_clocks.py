"""A logic whose clock is wrong: it goes by Redis's, so nothing is lost and order holds; it says so, and is not ready."""
import re
import struct
import time

import pytest

from cluster import BUILD, wait_for

pytestmark = pytest.mark.long

MINUTES_15, HOURS_26 = 15 * 60, 26 * 3600


class Shift:
    """The clock of one daemon, which is started anew under it."""

    def __init__(self, daemon, path, seconds):
        self.path = path
        self.set(seconds)
        assert daemon.term() == 0
        preload = {"LD_PRELOAD": str(BUILD / "tests" / "tools" / "clock_shift.so"), "CLOCK_SHIFT_FILE": str(path),
                   "ASAN_OPTIONS": "verify_asan_link_order=0"}
        daemon.env = {**daemon.env, **preload}
        daemon.start()

    def set(self, seconds):
        mode = "r+b" if self.path.exists() else "wb"
        with open(self.path, mode) as file:  # in place: the daemon has it mapped
            file.write(struct.pack("=q", int(seconds * 1e6)))


@pytest.mark.parametrize("members", [None, []], ids=["leases", "list"])
@pytest.mark.parametrize("seconds", [MINUTES_15, -MINUTES_15, HOURS_26], ids=["15 minutes ahead", "15 minutes behind", "26 hours ahead"])
def test_a_wrong_clock_loses_nothing(make_cluster, uids, tmp_path, seconds, members):
    cluster = make_cluster(logics=2, members=members)
    right, wrong = cluster.logics
    clock = Shift(wrong, tmp_path / "shift", seconds)
    wait_for(lambda: "redis: ok" in wrong.get("/readyz")[1] and "lease: ok" in wrong.get("/readyz")[1] and
             "bus: ok" in wrong.get("/readyz")[1], 20, lambda: wrong.get("/readyz"))
    wait_for(lambda: abs(wrong.metrics()["imc_clock_offset_seconds"] - seconds) < 1, 5,
             lambda: wrong.metrics()["imc_clock_offset_seconds"])
    status, text = wrong.get("/readyz")
    assert status == 503 and re.search(rf"clock: not ready: this machine's clock is {abs(seconds)} s", text), text
    assert "clock differs from Redis's" in wrong.log()
    assert abs(right.metrics()["imc_clock_offset_seconds"]) < 1
    wait_for(right.ready, 10, lambda: right.get("/readyz"))

    plain, limited, short = uids(3)
    tokens = {uid: right.api.token(uid) for uid in (plain, limited, short)}
    bodies = []
    for number in range(6):  # in turn: what one accepts after the other sorts behind it
        body = f"{number}"
        (wrong if number % 2 == 0 else right).api.push(plain, body)
        bodies.append(body.encode())
    right.api.push(limited, "by the right one", ttl=600)
    wrong.api.push(limited, "by the wrong one", ttl=600)
    begin = time.monotonic()
    wrong.api.push(short, "not for long", ttl=3)
    wait_for(lambda: cluster.mailbox(plain) == 6 and cluster.mailbox(limited) == 2, 20, "the messages to wait")
    for logic in (wrong, right, wrong):
        assert logic.api.waiting(plain, tokens[plain]) == bodies
        assert logic.api.waiting(limited, tokens[limited]) == [b"by the right one", b"by the wrong one"]
    assert cluster.mailbox(plain) == 6 and cluster.mailbox(limited) == 2
    wait_for(lambda: not right.api.waiting(short, tokens[short]), 10, "the short one to end", 0.1)
    assert time.monotonic() - begin < 8
    clock.set(0)
    wait_for(wrong.ready, 10, lambda: wrong.get("/readyz"), 0.1)


def test_a_clock_that_is_set_while_it_runs(make_cluster, uid, tmp_path):
    """Forth and back between two comparisons, and across them: ids rise, none is from elsewhere."""
    cluster = make_cluster(logics=1)
    logic = cluster.logics[0]
    clock = Shift(logic, tmp_path / "shift", 0)
    wait_for(logic.ready, 20, lambda: logic.get("/readyz"))
    token = logic.api.token(uid)
    bodies = []
    for number, seconds in enumerate((0, 3600, -3600, HOURS_26, 0)):
        clock.set(seconds)
        for more in range(3):
            bodies.append(f"{number}.{more}")
            logic.api.push(uid, bodies[-1])
        if seconds != 0:
            wait_for(lambda: logic.get("/readyz")[0] == 503, 5, "the clock to be noticed")
    wait_for(logic.ready, 10, lambda: logic.get("/readyz"), 0.1)
    wait_for(lambda: cluster.mailbox(uid) == 15, 20, "the messages to wait")
    assert logic.api.waiting(uid, token) == [body.encode() for body in bodies]
    answer = logic.api.call("GET", "/1/msg/get", uid=uid, token=token)[1]
    millis = [int(row["mid"]) >> 22 for row in answer["data"]["msgs"]]
    assert len(millis) == 15 and millis[-1] - millis[0] < 60_000, millis


def test_a_comet_that_comes_back_under_a_clock_that_is_behind(make_cluster, uid, tmp_path):
    """Routers know its lives by number. One that seemed older than the last was not heard, and nothing was stored any more."""
    cluster = make_cluster()
    comet = cluster.comets[0]
    Shift(comet, tmp_path / "shift", -MINUTES_15)
    wait_for(lambda: "clients: ok" in comet.get("/readyz")[1], 20, lambda: comet.get("/readyz"))
    cluster.api.push(uid, "hello")
    wait_for(lambda: cluster.sum("router", "imc_router_incomplete") == 0, 15, "routers to know everybody")
    cluster.settled()
    assert cluster.mailbox(uid) == 1
