"""Pushes to many users who are away: storing them does not hold up what goes to those who are there."""
import time

import pytest

from cluster import SLOW
from crowd import Crowd, Pings
from imgo import TcpClient


@pytest.fixture
def cluster(make_cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus is not quick enough")
    return make_cluster()


@pytest.mark.parametrize("callers", [1, 8])
def test_who_is_there_does_not_wait_for_those_who_are_away(cluster, uid, callers):
    crowd = Crowd(cluster.api, callers, calls=32 // callers)
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    with Pings(cluster.api, uid, client) as pings:
        begin = time.monotonic()
        accepted = crowd.push()
        cluster.settled(120)
        stored = time.monotonic() - begin
    client.close()
    print(f"accepted in {accepted:.1f} s, stored in {stored:.1f} s; {len(pings.ages)} pings: median "
          f"{pings.quantile(0.5):.3f} s, p95 {pings.quantile(0.95):.3f} s, longest {max(pings.ages):.3f} s; put off "
          f"{cluster.sum('job', 'imc_job_parked_total'):.0f}")
    assert pings.quantile(0.95) <= 1 * SLOW
    assert cluster.sum("job", "imc_job_parked_total") > 0
    assert cluster.sum("job", "imc_job_parked_lost_total") == 0
    assert int(cluster.redis_cli("dbsize")) >= crowd.n
