"""What librdkafka cannot go on from does not look like health: the daemon mends it, or ends for its supervisor."""
import pytest

from cluster import wait_for


def test_two_jobs_with_one_name_do_not_go_on_for_ever(make_cluster, bus):
    """With one group.instance.id the group takes the later one, and the earlier never reads again. Each opens its consumer
    anew some times, for that may mend it; then one ends with an error, and the other reads everything."""
    if bus.kind != "kafka":
        pytest.skip("the devbus knows no static members")
    cluster = make_cluster(env={"IMC_JOB_BUS_OPTIONS": "group.instance.id=twin"})
    jobs = [cluster.jobs[0], cluster._daemon("job", 2)]
    wait_for(lambda: not all(job.alive() for job in jobs), 60, "one of them to end")
    gone, left = sorted(jobs, key=lambda job: job.alive())
    cluster.processes.remove(gone)
    assert gone.popen.wait() == 1
    assert "bus consumer failed for good err=FENCED_INSTANCE_ID" in gone.log()
    wait_for(lambda: left.ready() and left.metrics()["imc_job_partitions"] == 4, 30, "the other to read everything")
    assert "bus consumer failed for good" in left.log()  # and it went on
    assert left.metrics()["imc_job_consumer_restarts_total"] >= 1
