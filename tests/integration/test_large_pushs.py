"""Calls of /1/pushs whose uids times bytes are many: logic stays small and answers others, and what cannot fit is refused
whole."""
import concurrent.futures
import json
import threading
import time

import pytest

from cluster import SLOW
from imgo import TcpClient

UIDS, BYTES, CALLS = 4000, 8000, 4  # 32 MB a call
SANITIZED = SLOW > 1  # its memory says nothing


@pytest.fixture
def cluster(make_cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus keeps all in memory")
    return make_cluster(env={"IMC_LOGIC_BUS_TIMEOUT": "30s"})


class Watch:
    """How long /healthz takes, and the most memory a daemon has had."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.pauses = []
        self.rss = 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.end.wait(0.02):
            begin = time.monotonic()
            assert self.daemon.get("/healthz")[0] == 200
            self.pauses.append(time.monotonic() - begin)
            with open(f"/proc/{self.daemon.popen.pid}/status", encoding="ascii") as status:
                kib = next(line.split()[1] for line in status if line.startswith("VmRSS"))
            self.rss = max(self.rss, int(kib) / 1024)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        self.thread.join()


def push_many(api, first, n, size):
    body = json.dumps({"u": list(range(first, first + n)), "m": "x" * (size - 2)})
    status, text, _ = api.request("POST", "/1/pushs", body, timeout=60)
    return status, json.loads(text)


def test_four_at_once_keep_logic_small_and_quick(cluster, uid):
    api, logic = cluster.api, cluster.logics[0]
    first = uid * 1000
    client = TcpClient(cluster.comets[0].tcp).auth(api.token(first))
    with Watch(logic) as watch, concurrent.futures.ThreadPoolExecutor(CALLS) as pool:
        answers = list(pool.map(lambda call: push_many(api, first + call * UIDS, UIDS, BYTES), range(CALLS)))
    print(f"healthz: longest {max(watch.pauses):.3f} s of {len(watch.pauses)}; memory: {watch.rss:.0f} MB")
    assert answers == [(200, {"ret": 1})] * CALLS
    assert len(client.push(10)) == BYTES
    cluster.settled(120)
    assert int(cluster.redis_cli("dbsize")) >= CALLS * UIDS - 1
    # One slice, and what it packs, at a time: of the 128 MB no more than 32 MB are with the bus.
    assert SANITIZED or watch.rss < 160
    pauses = sorted(watch.pauses)
    assert pauses[len(pauses) * 95 // 100] < 0.1 * SLOW
    assert pauses[-1] < 0.5 * SLOW


def test_what_cannot_fit_is_refused_whole(cluster, uid):
    first = uid * 1000
    logic = cluster.logics[0]
    with Watch(logic) as watch, concurrent.futures.ThreadPoolExecutor(CALLS) as pool:
        answers = list(pool.map(lambda call: push_many(cluster.api, first, 10_000, 60_000), range(CALLS)))
    assert max(watch.pauses, default=0) < 0.5 * SLOW  # refused at once: it may have had no time for a look
    for status, answer in answers:
        assert (status, answer["ret"]) == (413, 65534)
        assert "10000 uids times 60000 bytes" in answer["error"] and "push.max_bytes (67108864)" in answer["error"]
    assert logic.metrics()['imc_logic_refused_total{reason="size"}'] == CALLS
    assert logic.metrics().get("imc_logic_accepted_total", 0) == 0
    assert SANITIZED or watch.rss < 100


def test_at_the_limit(make_cluster, uids):
    api = make_cluster(env={"IMC_LOGIC_PUSH_MAX_BYTES": "1m"}).api
    some = uids(64)
    assert push_many(api, some[0], 64, 16384) == (200, {"ret": 1})
    assert push_many(api, some[0], 64, 16385)[0] == 413


def test_too_many_on_their_way(make_cluster, uid, bus):
    """Kafka stands still: pushes are accepted up to the limit, then refused at once."""
    if bus.kind != "kafka":
        pytest.skip("the devbus is not to be paused")
    cluster = make_cluster(env={"IMC_LOGIC_PUSH_MAX_PENDING": "1000", "IMC_LOGIC_BUS_TIMEOUT": "2s"})
    bus.pause()
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(push_many, cluster.api, uid * 1000, 990, 10)
            while cluster.logics[0].metrics()["imc_logic_outstanding"] < 990:
                time.sleep(0.01)
            begin = time.monotonic()
            status, text, headers = cluster.api.request("POST", "/1/pushs", json.dumps({"u": list(range(11)), "m": 1}))
            assert time.monotonic() - begin < 1 * SLOW
            assert (status, json.loads(text)["ret"], headers["Retry-After"]) == (503, 65535, "5")
            assert "push.max_pending" in text
            assert waiting.result()[0] == 503
    finally:
        bus.resume()
