"""Kafka goes for good, or what answers at its address is of no use: every daemon still ends soon when it is told to, and
until then spends next to nothing on it."""
import pathlib
import shutil
import socket
import tempfile
import threading
import time

import pytest

import cluster as cluster_module
from cluster import SLOW, wait_for

pytestmark = pytest.mark.long

CPU_MOST = 0.08  # of a core; what was found to spin took 0.3 to 1
LOOK_S = 4
END_S = 12  # the last look at the topic 2 s, leaving the group 2 s, librdkafka's own end 5 s


class Closer:
    """Takes connections at PORT and closes them at once."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


class World:
    def __init__(self, directory):
        self.undo = []
        self.bus = cluster_module.Bus("kafka", directory)
        self.port = int(self.bus.brokers.split(":")[1])
        # By another name than Kafka gives itself: then librdkafka tells the address from the broker behind it, and
        # hears from the one what it cannot ask the other.
        brokers = {f"IMC_{kind}_BUS_BROKERS": f"localhost:{self.port}" for kind in ("LOGIC", "JOB")}
        self.cluster = cluster_module.Cluster(self.bus, env=brokers).wait_ready()
        self.daemons = [*self.cluster.jobs, *self.cluster.logics]

    def killed(self):
        self.bus.process.kill9()

    def paused(self):
        self.bus.pause()

    def closing(self):
        self.bus.process.kill9()
        self.undo.append(Closer(self.port).close)

    def silent(self):
        self.bus.process.kill9()
        self.undo.append(socket.create_server(("127.0.0.1", self.port)).close)

    def elsewhere(self):
        """Another cluster, without the topic, that says it is where nobody listens."""
        self.bus.process.kill9()
        ours = f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}"
        assert ours in self.bus.text
        self.bus.text = self.bus.text.replace(ours, f"advertised.listeners=PLAINTEXT://127.0.0.1:{cluster_module.free_port()}")
        self.bus.run_kafka("elsewhere")

    def noticed(self):
        """Both know that they cannot work."""
        for daemon in self.daemons:
            wait_for(lambda d=daemon: d.get("/readyz")[0] == 503, 40, f"{daemon.name} to notice")

    def close(self):
        for undo in self.undo:
            undo()
        try:
            self.cluster.stop()
        finally:
            self.bus.stop()


@pytest.fixture(params=["killed", "paused", "closing", "silent", "elsewhere"])
def world(request):
    if request.config.getoption("--bus") != "kafka":
        pytest.skip("of a real Kafka")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="imc-bus-"))
    world = World(directory)
    try:
        getattr(world, request.param)()
        world.noticed()
        yield world
    finally:
        world.close()
        shutil.rmtree(directory, ignore_errors=True)


def cpu_of(daemons):
    return {daemon.name: daemon.metrics()["process_cpu_seconds_total"] for daemon in daemons}


def test_costs_nothing_and_ends_soon(world):
    before, begin = cpu_of(world.daemons), time.monotonic()
    time.sleep(LOOK_S)  # not waiting for something: this is what is measured
    took = time.monotonic() - begin
    used = {name: (seconds - before[name]) / took for name, seconds in cpu_of(world.daemons).items()}
    assert max(used.values()) < CPU_MOST * SLOW, (used, [daemon.log()[-2000:] for daemon in world.daemons])

    for daemon in world.daemons:
        assert daemon.term(END_S) == 0, daemon.log()[-2000:]
        assert "does not end" not in daemon.log(), daemon.log()[-2000:]
