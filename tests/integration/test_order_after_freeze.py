"""A comet that was taken for dead comes back while a router stands still: some of its users are known to the routers
again before it is told so. What comes for them then must not overtake what waits for them in their mailboxes."""
import concurrent.futures

from cluster import wait_for
from traffic import QUICK

# One batch registers them all, and is answered when the router that stands still has answered, too.
ONE_BATCH = {"IMC_COMET_COMET_WORKERS": "1", "IMC_COMET_LOGIC_WINDOW": "1"}


def test_what_waits_comes_first(own_cluster, connect, uids):
    cluster = own_cluster(routers=2, env=QUICK | ONE_BATCH)
    comet, job = cluster.comets[0], cluster.jobs[0]
    users = uids(30)
    clients = {uid: connect(comet, cluster.api.token(uid)) for uid in users}
    comet.pause()
    wait_for(lambda: job.metrics()["imc_job_comets"] == 0 and not cluster.api.counts("server"), 10,
             "its sessions to be forgotten")
    for number in range(3):
        for uid in users:
            cluster.api.push(uid, str(number))
    wait_for(lambda: all(cluster.mailbox(uid) == 3 for uid in users), what="all of it to wait")
    cluster.routers[1].pause()
    comet.resume()
    wait_for(lambda: job.metrics()["imc_job_comets"] == 1 and cluster.routers[0].metrics()["imc_router_sessions"] > 0,
             what="others to hear of it")
    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(lambda uid: cluster.api.push(uid, "3"), users))
    cluster.routers[1].resume()
    for uid, client in clients.items():
        got = []
        while 3 not in got:
            got.append(int(client.push(10)))
        assert list(dict.fromkeys(got)) == [0, 1, 2, 3], f"{uid}: {got}"
