"""A room's messages go to the comets that have members, and whoever was told that it is in a room misses nothing that is
pushed to it afterwards."""
import threading
import time

import pytest

from cluster import SLOW, wait_for
from imgo import body_of
from slow_line import SlowLine
from traffic import QUICK
from visitors import visit_rooms

pytestmark = pytest.mark.long

ROOMS = QUICK | {"IMC_COMET_ROOMS_LINGER": "1s"}


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(comets=3, jobs=2, env=ROOMS).job_reads()


def granted(cluster, comets=3):
    """Some job may leave out items for all comets."""
    return any(job.metrics().get("imc_job_room_grants") == comets for job in cluster.jobs if job.alive())


def items(comet):
    return comet.metrics()['imc_comet_items_total{kind="room"}']


def left_out(cluster):
    return cluster.sum("job", 'imc_job_room_items_total{what="left_out"}')


class Ticking:
    """Pushes to a room all the time, because jobs ask only then."""

    def __init__(self, cluster, room):
        self.cluster, self.room = cluster, room
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.sent = 0

    def run(self):
        while not self.end.wait(0.02):
            self.cluster.api.push_room(self.room, str(self.sent))
            self.sent += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        self.thread.join()


def test_only_comets_with_members_get_it(cluster, connect, uids):
    room = f"only-{uids(1)[0]}"
    client = connect(cluster.comets[0], cluster.api.token(uids(1)[0], room=room))
    out = left_out(cluster)
    with Ticking(cluster, room) as ticking:
        wait_for(lambda: left_out(cluster) >= out + 60, what="items to be left out for both other comets")
        before = [items(comet) for comet in cluster.comets]
        out = left_out(cluster)
        goal = ticking.sent + 100
        wait_for(lambda: ticking.sent > goal, what="pushes")
        wait_for(lambda: left_out(cluster) >= out + 180, what="items to be left out")
        after = [items(comet) for comet in cluster.comets]
    assert [now - then for now, then in zip(after[1:], before[1:])] == [0, 0]
    assert after[0] - before[0] >= 90
    assert client.pushes(ticking.sent) == [body_of(client, str(n)) for n in range(ticking.sent)]
    assert cluster.comets[0].metrics()["imc_comet_rooms_announced"] >= 1


def test_a_room_that_is_empty_is_announced_for_a_while(cluster, connect, uids):
    users = uids(2)
    room = f"linger-{users[0]}"
    with Ticking(cluster, f"other-{room}"):
        wait_for(lambda: granted(cluster), what="grants")
        wait_for(lambda: cluster.comets[0].metrics()["imc_comet_rooms_announced"] == 0, what="earlier rooms to go")
        client = connect(cluster.comets[0], cluster.api.token(users[1], room=room))
        wait_for(lambda: cluster.comets[0].metrics()["imc_comet_rooms_announced"] == 1, what="the room")
        client.close()
        wait_for(lambda: cluster.comets[0].metrics()["imc_comet_rooms_announced"] == 0, what="it to be forgotten")


def test_visitors_miss_nothing(cluster, uids):
    out = left_out(cluster)
    visits, slowest = visit_rooms(cluster, uids(12))
    assert visits > 100 / SLOW
    assert slowest < 2 * SLOW
    assert left_out(cluster) > out
    assert cluster.sum("comet", "imc_comet_joins_held_total") > 0


def test_a_slow_line_between_comets_and_jobs(make_cluster, uids):
    """Jobs hear of rooms late. Whoever were told too early that it is in a room would miss messages here."""
    lines = [SlowLine(0.08) for _ in range(3)]
    cluster = make_cluster(comets=0, jobs=2, env=ROOMS)
    for line in lines:
        cluster.comets.append(cluster.add_comet(IMC_COMET_RPC_ADVERTISE=f"127.0.0.1:{line.port}"))
        line.target = cluster.comets[-1].rpc
    cluster.wait_ready().job_reads()
    visits, slowest = visit_rooms(cluster, uids(12), rooms=8, seconds=6)
    assert visits > 50 / SLOW
    assert 0.05 < slowest < 3 * SLOW
    for line in lines:
        line.close()


def test_a_job_that_stands_still_and_goes_on(cluster, uids):
    """Longer than its grants, and than its session with the bus. Its clock tells it, not its loop."""
    def fault():
        time.sleep(2)
        for job in cluster.jobs:
            job.pause()
            time.sleep(6)
            job.resume()
            time.sleep(2)
    outwaited = cluster.sum("comet", "imc_comet_joins_outwaited_total")
    visit_rooms(cluster, uids(12), fault=fault)
    assert cluster.sum("comet", "imc_comet_joins_outwaited_total") > outwaited


def test_jobs_that_stutter(cluster, uids):
    """They wake up with grants that are good, with messages to read from the bus, and with news from comets."""
    def fault():
        for _ in range(6):
            for job in cluster.jobs:
                job.pause()
            time.sleep(0.6)
            for job in cluster.jobs:
                job.resume()
            time.sleep(0.8)
    visit_rooms(cluster, uids(12), seconds=6, fault=fault)


def test_a_job_is_killed_and_comes_back(cluster, uids):
    def fault():
        time.sleep(2)
        cluster.jobs[0].kill9()
        time.sleep(5)
        cluster.jobs[0].start()
    visit_rooms(cluster, uids(12), seconds=12, fault=fault)


def test_a_comet_that_stands_still_and_goes_on(cluster, uids):
    def fault():
        time.sleep(2)
        cluster.comets[0].pause()
        time.sleep(6)
        cluster.comets[0].resume()
    visit_rooms(cluster, uids(12), seconds=12, fault=fault)


def test_a_job_ends_and_another_one_comes(cluster, uids):
    def fault():
        time.sleep(1)
        assert cluster.jobs[1].term() == 0
        time.sleep(3)
        cluster.jobs[1].start()
    _, slowest = visit_rooms(cluster, uids(12), seconds=10, fault=fault)
    assert slowest < 3 * SLOW  # it has given up its grants
