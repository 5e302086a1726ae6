"""Redis loses the leases while rooms are pushed to: nobody misses anything, nobody has to connect again."""
import pytest

from cluster import wait_for
from imgo import body_of
from traffic import QUICK


@pytest.mark.parametrize("command", [("FLUSHALL",), ("DEL", "imc:members:comet")], ids=["all", "the comets'"])
def test_rooms_miss_nothing(own_cluster, connect, uids, command):
    cluster = own_cluster(comets=2, env=QUICK).job_reads()
    told = cluster.sum("comet", "imc_comet_rooms_missed_total")
    users = uids(4)
    room = f"leases-{users[0]}"
    clients = [connect(cluster.comets[i % 2], cluster.api.token(uid, room=room)) for i, uid in enumerate(users)]
    before = [comet.metrics().get("imc_comet_registered_total", 0) for comet in cluster.comets]
    for number in range(300):
        if number == 50:
            cluster.redis_cli(*command)
        cluster.api.push_room(room, str(number))
    # Each comet's new life has begun, and its sessions are known again.
    wait_for(lambda: all(comet.metrics().get("imc_comet_registered_total", 0) > was
                         for comet, was in zip(cluster.comets, before)), 10, "the comets to have new leases")
    for number in range(300, 320):
        cluster.api.push_room(room, str(number))
    for client in clients:
        assert client.pushes(320, 20) == [body_of(client, str(n)) for n in range(320)]
        client.nothing(0.2)
    assert cluster.sum("comet", "imc_comet_rooms_missed_total") == told
    assert cluster.sum("job", "imc_job_room_items_dropped_total") == 0
