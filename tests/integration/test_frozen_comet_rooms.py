"""A comet that was taken for dead and comes back: its sessions get what their rooms were sent meanwhile, or are told that
they missed something."""
import pytest

from cluster import wait_for
from imgo import body_of
from traffic import QUICK

pytestmark = pytest.mark.long


def lost(cluster, n=1):
    """Waits until job has taken N comets for dead."""
    wait_for(lambda: cluster.sum("job", "imc_job_comets") == len(cluster.comets) - n, 10, "job to take the comet for dead")


def told(cluster):
    return cluster.sum("comet", "imc_comet_rooms_missed_total")


def room_pushes(cluster, room, numbers):
    for number in numbers:
        cluster.api.push_room(room, str(number))


def settled(cluster):
    wait_for(lambda: cluster.sum("job", "imc_job_lag") == 0 and cluster.sum("job", "imc_job_unresolved") == 0, 15,
             "job to resolve what was pushed")


@pytest.fixture
def members(own_cluster, connect, uids):
    """Two comets with a session each in a room of three, one of these without one, on the first."""
    def make(**env):
        cluster = own_cluster(comets=2, env=QUICK | env).job_reads()
        cluster.told = told(cluster)
        users = uids(3)
        room = f"frozen-{users[0]}"
        first, second = (connect(comet, cluster.api.token(uid, room=room)) for comet, uid in zip(cluster.comets, users))
        return cluster, room, first, second, connect(cluster.comets[0], cluster.api.token(users[2]))
    return make


def test_sessions_get_what_was_pushed_meanwhile(members):
    cluster, room, first, second, alone = members()
    room_pushes(cluster, room, range(10))
    cluster.comets[0].pause()
    room_pushes(cluster, room, range(10, 50))
    lost(cluster)
    room_pushes(cluster, room, range(50, 500))
    cluster.api.push_all("500")
    settled(cluster)
    cluster.comets[0].resume()
    room_pushes(cluster, room, range(501, 550))
    wanted = [body_of(first, str(n)) for n in range(550)]
    got = first.pushes(550, 20)
    assert sorted(got, key=wanted.index) == wanted  # nothing twice
    assert [n for n in got if n != wanted[500]] == wanted[:500] + wanted[501:]  # order of the room
    assert sorted(second.pushes(550, 20), key=wanted.index) == wanted
    assert alone.push() == body_of(alone, "500")
    for client in (first, second, alone):
        client.nothing()
    assert told(cluster) == cluster.told


def test_a_restarted_comet_is_not_given_what_was_kept(members, connect, uid):
    cluster, room, _, second, _ = members()
    cluster.comets[0].kill9()
    lost(cluster)
    room_pushes(cluster, room, range(20))
    settled(cluster)
    cluster.comets[0].start()
    wait_for(cluster.comets[0].ready, 20, "it to be back")
    client = connect(cluster.comets[0], cluster.api.token(uid, room=room))
    room_pushes(cluster, room, range(20, 30))
    assert client.pushes(10) == [body_of(client, str(n)) for n in range(20, 30)]
    assert len(second.pushes(30)) == 30
    assert told(cluster) == cluster.told


def test_sessions_are_told_when_job_died_meanwhile(members):
    cluster, room, first, second, alone = members()
    room_pushes(cluster, room, range(5))
    assert len(first.pushes(5)) == 5
    cluster.comets[0].pause()
    lost(cluster)
    room_pushes(cluster, room, range(5, 10))
    settled(cluster)
    cluster.jobs[0].kill9()
    cluster.jobs[0].start()
    wait_for(cluster.jobs[0].ready, 30, "job to be back")
    cluster.comets[0].resume()
    first.kicked(12, 30)
    alone.kicked(12, 30)  # a message to all may be among what was missed
    wait_for(lambda: told(cluster) == cluster.told + 2, what="both to be counted")
    assert len(second.pushes(10)) == 10
    room_pushes(cluster, room, [10])
    assert second.push() == body_of(second, "10")
