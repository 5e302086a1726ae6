"""Partitions that no job has, while Kafka's group thinks that all is well, are dealt out again."""
import subprocess

import pytest

import events
from cluster import BUILD, wait_for

pytestmark = pytest.mark.long


class Member:
    """Another one in the jobs' group."""

    def __init__(self, bus, group, topic, *how):
        self.popen = subprocess.Popen([BUILD / "tests" / "tools" / "bus_member", bus.brokers, group, topic, "other", *how],
                                      stdout=subprocess.PIPE, text=True)

    def has(self, n):
        """Reads on until it has N partitions."""
        for line in self.popen.stdout:
            if int(line) == n:
                return
        raise AssertionError(f"it ended, and had not {n} partitions")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


@pytest.mark.parametrize("which", ["bus", "events"])
def test_a_member_that_was_killed_when_it_gave_up_its_partitions(bus, make_cluster, which):
    """It was to join again then, so that somebody gets them. It comes back, keeps what it had left, and tells nobody."""
    if bus.kind != "kafka":
        pytest.skip("the devbus knows no static members")
    env, _ = events.settings(bus)
    cluster = make_cluster(env=env)
    job, log = cluster.jobs[0], env["IMC_JOB_EVENTS_LOG"]
    group, topic, has, unowned = {
        "bus": (cluster.topic, cluster.topic, "imc_job_partitions", "imc_job_partitions_unowned"),
        "events": (env["IMC_JOB_EVENTS_GROUP"], log, "imc_job_events_partitions", "imc_job_events_unowned")}[which]
    wait_for(lambda: job.metrics()[has] == 4, 20, "the job to have them all")
    assert job.term() == 0
    with Member(bus, group, topic, "die") as first:
        first.has(4)
        job.start()
        assert first.popen.wait(30) == 0
    with Member(bus, group, topic) as again:
        again.has(2)
        wait_for(lambda: job.metrics().get(has) == 2, 40, lambda: f"the job to have the others: {job.log()[-3000:]}")
        assert "joining again" in job.log() and "2 of its partitions are nobody's" in job.log()
        again.has(2)  # it had all of them, while the job had left
        wait_for(lambda: job.metrics()[unowned] == 0, 30, "the job to see that")
    wait_for(job.ready, 30, "the job to be ready")
