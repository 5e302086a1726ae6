"""Who was a member and is none any more is named by /v1/cluster and imc, until it is back."""
from cli import Imc
from cluster import wait_for
from traffic import QUICK


def test_a_daemon_that_died_or_hangs_is_named_until_it_is_back(make_cluster):
    cluster = make_cluster(comets=2, jobs=2, env=QUICK)
    imc, (comet, job) = Imc(cluster.logics[0]), (cluster.comets[1], cluster.jobs[1])

    def gone():
        return sorted((one["kind"], one["id"]) for one in cluster.api.call("GET", "/v1/cluster")[1]["gone"])

    assert gone() == [] and "gone" not in imc.ok("cluster")
    comet.pause()
    job.kill9()
    wanted = sorted([("comet", comet.id), ("job", job.id)])
    wait_for(lambda: gone() == wanted, 20, "both to be gone")
    [line] = [line for line in imc.ok("cluster").splitlines() if line.startswith("gone: ")]
    assert f"comet {comet.id} (" in line and f"job {job.id} (" in line and line.endswith(" ago)")
    comet.resume()
    job.start()
    wait_for(lambda: gone() == [], 20, "both to be back")
    assert "gone" not in imc.ok("cluster")
