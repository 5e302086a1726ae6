"""What librdkafka cannot go on from does not look like health: the daemon mends it, or ends for its supervisor."""
import pytest

from cluster import wait_for


def test_a_fenced_job_ends_with_an_error(make_cluster, bus):
    """Two jobs with one group.instance.id: the group takes the later one, and the earlier never reads again."""
    if bus.kind != "kafka":
        pytest.skip("the devbus knows no static members")
    cluster = make_cluster(env={"IMC_JOB_BUS_OPTIONS": "group.instance.id=twin"})
    fenced = cluster.jobs[0]
    taker = cluster._daemon("job", 2)
    wait_for(lambda: not fenced.alive(), 30, "the fenced job to end")
    cluster.processes.remove(fenced)
    assert fenced.popen.wait() == 1
    assert "bus consumer failed for good err=FENCED_INSTANCE_ID" in fenced.log()
    wait_for(lambda: taker.ready() and taker.metrics()["imc_job_partitions"] == 4, 30, "the other to read everything")
