"""Pushes to many users who are away: storing them does not hold up what goes to those who are there.

IMC_TEST_CROWD=1x60,64x2 has other crowds than those of a test run: CALLERSxCALLS, 10,000 users a call. See
docs/benchmarks.md.
"""
import os
import time

import pytest

from cluster import SLOW
from crowd import Crowd, Pings
from imgo import TcpClient

pytestmark = pytest.mark.long

CROWDS = [tuple(map(int, crowd.split("x"))) for crowd in os.environ.get("IMC_TEST_CROWD", "1x32,8x4").split(",")]


@pytest.fixture
def cluster(make_cluster, bus):
    if bus.kind != "kafka":
        pytest.skip("the devbus is not quick enough")
    return make_cluster()


@pytest.mark.parametrize("callers,calls", CROWDS)
def test_who_is_there_does_not_wait_for_those_who_are_away(cluster, uid, callers, calls):
    crowd = Crowd(cluster.api, callers, calls)
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    with Pings(cluster.api, uid, client) as pings:
        begin = time.monotonic()
        accepted = crowd.push()
        cluster.settled(120 + crowd.n / 2000)
        stored = time.monotonic() - begin
    client.close()
    print(f"{crowd.n} accepted in {accepted:.1f} s ({crowd.refused} calls told to come later), stored in {stored:.1f} s; "
          f"{len(pings.ages)} pings, {pings.refused} refused: median "
          f"{pings.quantile(0.5):.3f} s, p95 {pings.quantile(0.95):.3f} s, longest {max(pings.ages):.3f} s; put off "
          f"{cluster.sum('job', 'imc_job_parked_total'):.0f}")
    # A second; or, where the machine has little time for us, a twentieth of what all of it takes. Alone on two cores
    # that is some 20 s. When storing held up delivering, it was a fifth and more.
    assert pings.quantile(0.95) <= max(1 * SLOW, stored / 20)
    assert cluster.sum("job", "imc_job_parked_total") > 0
    assert cluster.sum("job", "imc_job_parked_lost_total") == 0
    assert int(cluster.redis_cli("dbsize")) >= crowd.n
