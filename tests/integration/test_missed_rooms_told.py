"""What job does not keep for a comet that was taken for dead is dropped, counted, and the rooms' members are told."""
from cluster import wait_for
from imgo import body_of
from traffic import QUICK


def test_members_are_told_to_connect_again(own_cluster, connect, uids):
    cluster = own_cluster(comets=2, env=QUICK | {"IMC_JOB_COMET_HOLD": "0s"}).job_reads()
    told = cluster.sum("comet", "imc_comet_rooms_missed_total")
    users = uids(3)
    room = f"told-{users[0]}"
    member = connect(cluster.comets[0], cluster.api.token(users[0], room=room))
    alone = connect(cluster.comets[0], cluster.api.token(users[1]))
    other = connect(cluster.comets[1], cluster.api.token(users[2], room=room))
    cluster.comets[0].pause()
    wait_for(lambda: cluster.sum("job", "imc_job_comets") == 1, 10, "job to take the comet for dead")
    cluster.api.push_room(room, "1")
    assert other.push() == body_of(other, "1")
    cluster.comets[0].resume()
    assert "missed" in member.kicked(12, 20)
    alone.nothing(0.5)  # nothing was sent to all
    assert cluster.sum("comet", "imc_comet_rooms_missed_total") == told + 1
    assert cluster.sum("job", "imc_job_room_items_dropped_total") >= 1
    again = connect(cluster.comets[0], cluster.api.token(users[0], room=room))
    cluster.api.push_room(room, "2")
    assert again.push() == body_of(again, "2")
