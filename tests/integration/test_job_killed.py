"""kill -9 of a job: the other one takes over where the offsets stand; what repeats is recognised, nothing is lost."""
from cluster import wait_for
from traffic import QUICK, Traffic


def test_nothing_accepted_is_lost(own_cluster, connect, uids):
    cluster = own_cluster(jobs=2, env=QUICK)
    wait_for(lambda: all(job.metrics()["imc_job_partitions"] == 2 for job in cluster.jobs), 15, "the partitions")
    users = uids(30)
    away = users[:5]
    tokens = {uid: cluster.api.token(uid) for uid in users}
    clients = {uid: connect(cluster.comets[0], tokens[uid]) for uid in users[5:]}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(100)
        cluster.jobs[0].kill9()
        traffic.go_on(200)
        cluster.jobs[0].start()
        wait_for(lambda: cluster.jobs[0].ready(), 20, "the job to be back")
        traffic.go_on(60)
    assert not traffic.errors
    for uid, client in clients.items():
        # comet remembers what it took: even the replay repeats nothing
        traffic.received(uid, client, timeout=20)
        client.nothing(0.01)
    for uid in away:
        traffic.received(uid, connect(cluster.comets[0], tokens[uid]), timeout=20)


def test_a_job_that_was_frozen_speaks_no_more(own_cluster, connect, uids):
    """It wakes up after the other one has taken its partitions: comets refuse what it still wants to say."""
    cluster = own_cluster(jobs=2, env=QUICK)
    wait_for(lambda: all(job.metrics()["imc_job_partitions"] == 2 for job in cluster.jobs), 15, "the partitions")
    users = uids(20)
    clients = {uid: connect(cluster.comets[0], cluster.api.token(uid)) for uid in users}
    with Traffic([cluster.api], users) as traffic:
        traffic.go_on(60)
        cluster.jobs[0].pause()
        wait_for(lambda: cluster.jobs[1].metrics()["imc_job_partitions"] == 4, 20, "the other one to take over")
        traffic.go_on(60)
        cluster.jobs[0].resume()
        traffic.go_on(60)
        wait_for(lambda: cluster.jobs[0].ready(), 20, "the job to be back")
    for uid, client in clients.items():
        traffic.received(uid, client, timeout=20)
        client.nothing(0.01)
