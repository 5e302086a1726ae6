"""A daemon of each kind comes, ends by SIGTERM, comes again, is killed; devices and pushes go on meanwhile."""
import contextlib
import time

import pytest

import swarm as swarms
from cluster import SLOW, wait_for
from traffic import QUICK

pytestmark = pytest.mark.long

DEVICES = 2000 if SLOW == 1 else 400
PER_SECOND = 500 if SLOW == 1 else 100
ROOMS = DEVICES // 20


@pytest.fixture(scope="module")
def cluster(bus):
    from cluster import Cluster

    cluster = Cluster(bus, comets=2, logics=2, routers=2, jobs=2, env=QUICK).wait_ready().job_reads()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def users(cluster):
    """{uid: (token, room)}"""
    first = 77_000_000
    return {first + i: (cluster.api.token(first + i, room=f"room-{i % ROOMS}"), f"room-{i % ROOMS}")
            for i in range(DEVICES)}


class Around:
    """with Around(cluster, users).going_on() as around: 2,000 devices are in, and some hundred pushes a second go on. At the end
    everything that was accepted has to be where it belongs."""

    def __init__(self, cluster, users):
        self.cluster = cluster
        self.swarm = swarms.Swarm(cluster.living("comet"), users)
        self.pushes = swarms.Pushes(self.swarm.run, [logic.api for logic in cluster.living("logic")], list(users),
                                    sorted({room for _, room in users.values()}), PER_SECOND)

    @contextlib.contextmanager
    def going_on(self):
        with self.swarm:
            with self.pushes:
                self.pushes.go_on(PER_SECOND)
                yield self
            self.check()

    def registered(self):
        return self.cluster.sum("comet", "imc_comet_registered_total")

    def counts_are_right(self, timeout=5):
        """All sessions are counted where they are, and in their rooms."""
        self.swarm.all_in()
        rooms = {f"room-{i}": DEVICES // ROOMS for i in range(ROOMS)}
        api = self.pushes.apis[-1]

        def counts(kind):
            try:
                return {name: n for name, n in api.counts(kind).items() if n}
            except AssertionError as error:  # 503: a router that has just died is still asked
                return {str(error): 0}
        def servers():  # some may still be on their way elsewhere
            return {int(comet.id): len(self.swarm.at(comet)) for comet in self.swarm.comets}
        wait_for(lambda: counts("server") == servers() and counts("room") == rooms, timeout, lambda: f"{counts('server')} "
                 f"to be {servers()}; rooms that are wrong: {sorted({*counts('room').items()} ^ {*rooms.items()})[:6]}", 0.2)

    def check(self):
        self.counts_are_right()
        swarms.wait_for_all(self.swarm.devices, self.pushes)
        for device in self.swarm.devices:
            swarms.check_order(device)
        print(f"{self.pushes.pushed} pushes, {self.pushes.rate():.0f}/s, {self.pushes.retries} tried again, the longest "
              f"took {self.pushes.longest:.2f} s")


def moved(around, change, share):
    """CHANGE happens; comets register again about SHARE of the sessions, which is what ketama moves."""
    before = around.registered()
    change()
    around.counts_are_right()
    around.pushes.go_on(PER_SECOND)
    again = around.registered() - before
    print(f"registered again: {again:.0f} of {DEVICES}, ketama moves about {share * DEVICES:.0f}")
    return again


def test_a_router(cluster, users):
    with Around(cluster, users).going_on() as around:
        def add():
            cluster.add("router")
        for end in ("term", "kill9"):
            again = moved(around, add, 1 / 3)
            assert 0.15 * DEVICES < again < 0.55 * DEVICES
            router = cluster.living("router")[-1]
            again = moved(around, getattr(router, end), 1 / 3)
            assert 0.15 * DEVICES < again < 0.55 * DEVICES


def test_a_comet(cluster, users):
    with Around(cluster, users).going_on() as around:
        for end in ("term", "kill9"):
            before = around.registered()
            comet = cluster.add("comet")
            around.swarm.comets.append(comet)
            around.swarm.move(around.swarm.devices[::4])
            wait_for(lambda: len(around.swarm.at(comet)) > DEVICES / 20, 20, "some to be on the new one")
            around.counts_are_right()
            around.pushes.go_on(PER_SECOND)
            around.swarm.comets.remove(comet)
            getattr(comet, end)()
            around.counts_are_right(10)
            around.pushes.go_on(PER_SECOND)
            assert around.registered() - before < DEVICES / 100  # nobody else's sessions


def test_a_logic(cluster, users):
    with Around(cluster, users).going_on() as around:
        for end in ("term", "kill9"):
            logic = cluster.add("logic")
            around.pushes.apis.append(logic.api)
            around.pushes.go_on(PER_SECOND)
            around.swarm.move(around.swarm.devices[::10])
            around.counts_are_right()
            getattr(logic, end)()
            around.pushes.go_on(PER_SECOND)
            around.pushes.apis.remove(logic.api)
            around.swarm.move(around.swarm.devices[1::10])
            around.counts_are_right()


def test_a_job(cluster, users):
    with Around(cluster, users).going_on() as around:
        for end in ("term", "kill9"):
            job = cluster.add("job")
            wait_for(lambda: job.metrics().get("imc_job_partitions", 0) > 0, 20, "the job to have partitions")
            around.pushes.go_on(PER_SECOND)
            begin = time.monotonic()
            getattr(job, end)()
            around.pushes.go_on(PER_SECOND)
            wait_for(lambda: cluster.sum("job", "imc_job_partitions") == 4, 20, "others to have its partitions")
            print(f"{end}: taken over after {time.monotonic() - begin:.1f} s")
            around.counts_are_right()
