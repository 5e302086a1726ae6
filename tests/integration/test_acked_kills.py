"""A comet is killed between writing and being acknowledged: nothing is lost, and what comes again has its id.

IMC_TEST_KILLS rounds; `IMC_TEST_KILLS=20` for a longer run."""
import os
import random

import pytest

import acked
from cluster import wait_for
from traffic import QUICK

pytestmark = pytest.mark.long

ROUNDS = int(os.environ.get("IMC_TEST_KILLS", "3"))
DEVICES = 12


class Device:
    def __init__(self, cluster, uid, kind, rng):
        self.cluster, self.uid, self.kind, self.rng = cluster, uid, kind, rng
        self.token = cluster.api.token(uid)
        self.reader = acked.Reader()
        self.wanted = []
        self.client = None

    def connect(self, comet):
        if self.client:
            self.client.close()
        self.client = acked.connect(self.cluster.comets[comet], self.kind, self.token, key=f"device-{self.uid}")

    def push(self, n):
        for _ in range(n):
            self.wanted.append(str(len(self.wanted)))
            self.cluster.api.push(self.uid, self.wanted[-1])

    def reads_some(self):
        """Reads some of what came, and acknowledges some of that."""
        for message in acked.messages(self.client, self.rng.randrange(5)):
            self.reader.take(message)
            if self.rng.random() < 0.5:
                self.client.ack(message[0])


@pytest.mark.parametrize("pause", (0, 0.7), ids=("at once", "after session.ack_wait"))
def test_killed_between_write_and_acknowledgement(own_cluster, uids, pause):
    cluster = own_cluster(comets=2, env=QUICK | {"IMC_COMET_SESSION_ACK_WAIT": "500ms"})
    rng = random.Random(pause)
    kinds = list(acked.KINDS)
    devices = [Device(cluster, uid, kinds[i % len(kinds)], rng) for i, uid in enumerate(uids(DEVICES))]
    repeats = []
    for number in range(ROUNDS):
        victim = number % 2
        for device in devices:
            device.connect(victim)
        for device in devices:
            device.push(5)
        for device in devices:
            device.reads_some()
        if pause:
            wait_for(lambda: sum(cluster.mailbox(d.uid) for d in devices) > 0, 10, "something to be stored")
        cluster.comets[victim].kill9()
        for device in devices:
            device.push(2)
        for device in devices:
            device.connect(1 - victim)
        for device in devices:
            device.push(2)
            device.reader.until(device.client, device.wanted)
        repeats.append(sum(device.reader.repeats for device in devices))
        cluster.heal()
    for device in devices:
        assert device.reader.order == device.wanted, device.uid
        device.client.close()
    assert repeats[-1] > 0
