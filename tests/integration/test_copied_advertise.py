"""Two comets with one rpc.advertise, as after copying a configuration: streams name whom they want, so nobody gets anything twice
or in the other's place, and both sides say what is wrong."""
from cluster import free_port, wait_for
from imgo import TcpClient, body_of
from traffic import QUICK


def test_streams_for_the_other_one_are_refused(make_cluster, uid):
    cluster = make_cluster(env=QUICK)
    first, job = cluster.comets[0], cluster.jobs[0]
    copy = cluster._daemon("comet", 2, IMC_COMET_RPC_ADVERTISE=f"127.0.0.1:{first.rpc}",
                           IMC_COMET_TCP_LISTEN=f"127.0.0.1:{free_port()}", IMC_COMET_WS_LISTEN=f"127.0.0.1:{free_port()}")
    wait_for(lambda: first.metrics().get("imc_rpc_names_refused_total"), 10, "the first comet to refuse a stream")
    assert job.metrics()["imc_rpc_names_missed_total"] > 0
    wait_for(lambda: "stream for somebody else" in first.log() and "not 2 (epoch" in first.log(), 5, "comet's log line")
    wait_for(lambda: "comet=2" in job.log() and "this is 1 (epoch" in job.log(), 5, "job's log line")
    assert copy.get("/readyz")[0] == 503

    client = TcpClient(first.tcp).auth(cluster.api.token(uid))
    cluster.api.push(uid, "to the user")
    assert client.push() == body_of(client, "to the user")
    cluster.api.push_all("to all")
    assert client.push() == body_of(client, "to all")
    client.nothing(0.5)
    client.close()

    copy.term()
    refused = first.metrics()["imc_rpc_names_refused_total"]
    wait_for(lambda: job.metrics()["imc_job_comets"] == 1, 10, "the copy to be forgotten")
    cluster.api.push_all("again")
    assert refused > 0


def test_a_restarted_daemon_is_found_again(make_cluster, uid):
    """Under its old address and id, in another life: streams that want the old one do not go on being refused."""
    cluster = make_cluster(env=QUICK)
    for daemon in (cluster.comets[0], cluster.logics[0], cluster.routers[0]):
        daemon.kill9()
        daemon.start()
    for daemon in cluster.daemons():
        wait_for(daemon.ready, 20, f"{daemon.name} to be ready")
    client = TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
    client.close()
