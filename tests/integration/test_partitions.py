"""Partitions are added while several logics push: the order per user and room is kept, and nothing is lost."""
import concurrent.futures
import os
import subprocess
import threading
import time

import pytest

from cluster import BUILD, wait_for
from imgo import TcpClient

pytestmark = pytest.mark.long

LOGICS = 3


class Pusher:
    """Counts up for each user and room, each push through another logic than the one before it; next when answered."""

    def __init__(self, cluster, uids, rooms):
        self.cluster = cluster
        self.targets = [("/1/push", {"uid": uid}) for uid in uids] + [("/1/push/room", {"rid": room}) for room in rooms]
        self.counts = {}
        self.longest = 0
        self.stop = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(len(self.targets))
        self.lanes = [self.pool.submit(self._run, n) for n in range(len(self.targets))]

    def _run(self, lane):
        path, query = self.targets[lane]
        n = 0
        while not self.stop.is_set():
            api = self.cluster.logics[(lane + n) % LOGICS].api
            began = time.monotonic()
            status, answer = api.call("POST", path, f"{path[-1]}:{n}", **query)
            assert status == 200, answer  # they wait, none is refused
            self.longest = max(self.longest, time.monotonic() - began)
            n += 1
            self.counts[lane] = n
            time.sleep(0.01)

    def end(self):
        self.stop.set()
        for lane in self.lanes:
            lane.result()
        self.pool.shutdown()
        return [self.counts[lane] for lane in range(len(self.targets))]


def set_partitions(cluster, n, when_held=lambda: None):
    """The command's exit code and words; it is configured like a logic."""
    env = {**os.environ, **cluster.logics[0].env, "IMC_LOGIC_BUS_GROUP": cluster.topic}
    with subprocess.Popen([str(BUILD / "logic" / "imc-logic"), "--set-partitions", str(n)], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
        words = ""
        for line in command.stdout:
            words += line
            if "pushes wait" in line:
                when_held()
    return command.returncode, words


def freeze_jobs(cluster):
    """So that there are messages that they have not read when the number changes."""
    for job in cluster.jobs:
        job.pause()
    threading.Timer(1.5, lambda: [job.resume() for job in cluster.jobs]).start()


def used(cluster):
    return {logic.metrics()["imc_logic_partitions"] for logic in cluster.logics}


def test_raising_the_number_keeps_the_order(bus, make_cluster, uids):
    if bus.kind != "kafka":
        pytest.skip("the devbus cannot add partitions")
    cluster = make_cluster(logics=LOGICS, jobs=2)
    users = uids(12)
    rooms = [f"room-{uid}" for uid in users[:4]]
    clients = [TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid, room=rooms[i % 4]))
               for i, uid in enumerate(users)]
    pusher = Pusher(cluster, users, rooms)
    wait_for(lambda: len(pusher.counts) == len(pusher.targets), 20, "all to push")
    # Added by hand: nobody uses them.
    bus.tool("TopicCommand", "--alter", "--topic", cluster.topic, "--partitions", "6")
    wait_for(lambda: all("partitions are not used" in logic.log() for logic in cluster.logics), 20, "logics to see them")
    assert used(cluster) == {4}
    code, words = set_partitions(cluster, 5)
    assert code == 1 and "cannot fall, say 6" in words, words
    code, words = set_partitions(cluster, 12, lambda: freeze_jobs(cluster))
    assert code == 0 and "12 partitions instead of 4" in words, words
    wait_for(lambda: used(cluster) == {12}, 10, "all to use them")
    before = dict(pusher.counts)
    wait_for(lambda: all(n >= before[lane] + 10 for lane, n in pusher.counts.items()), 20, "all to push by the new number")
    counts = pusher.end()
    assert pusher.longest < 8, pusher.longest

    for i, client in enumerate(clients):
        n_user, n_room = counts[i], counts[len(users) + i % 4]
        bodies = client.pushes(n_user + n_room, 30)
        assert [body for body in bodies if body[:1] == b"h"] == [b"h:%d" % n for n in range(n_user)]
        assert [body for body in bodies if body[:1] == b"m"] == [b"m:%d" % n for n in range(n_room)]
        client.close()
    assert set_partitions(cluster, 12)[0] == 0  # again: nothing to do
    assert cluster.sum("logic", "imc_logic_produce_failed_total") == 0
