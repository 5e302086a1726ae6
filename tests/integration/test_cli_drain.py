"""imc drain and undrain: a comet, by its name, sends its sessions elsewhere; by /v1/comets/drain of any logic."""
import imgo
from cli import Imc, rows
from cluster import wait_for
from traffic import QUICK

SETTINGS = QUICK | {"IMC_COMET_DRAIN_RATE": "1"}


def cells(imc, comet):
    """What the cluster's list says of COMET, by column. {}: it is not there."""
    lines = imc.ok("cluster").splitlines()
    # no cell is empty or has a blank, but for the age
    head = lines[0].split()
    for line in lines[1:]:
        row = line.replace("d ", "d").replace("h ", "h").replace("m ", "m").split()
        if row[:2] == ["comet", comet]:
            return dict(zip([name for name in head if name != "CLIENTS"], row))
    return {}


def test_a_comet_drains_by_name(own_cluster, uids):
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    imc = Imc(cluster.logics[1])
    stays, goes = [[imgo.TcpClient(comet.tcp).auth(cluster.api.token(uid)) for uid in uids(3)] for comet in
                   (cluster.comets[1], cluster.comets[0])]
    wait_for(lambda: [row[0] for row in rows(imc.ok("cluster"))].count("comet") == 2, 5, "both comets")
    assert imc.run("drain", "1", "--wait", "20s")[:2] == (0, "1 drains\n1: nobody is left\n")
    for client in goes:
        client.kicked(9)
    assert cells(imc, "1")["DRAINING"] == "yes" and cells(imc, "2")["DRAINING"] == "no"
    assert "drain: " in cluster.comets[0].get("/readyz?for=connect")[1]
    assert imc.json("drain", "1") == {"server": "1", "draining": True}  # repeated, it changes nothing
    assert imc.ok("undrain", "1") == "1 takes clients again\n"
    assert cells(imc, "1")["DRAINING"] == "no"
    back = imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uids(1)[0]))
    for client in [*stays, back]:
        client.nothing(0.1)
        client.close()


def test_what_cannot_drain(own_cluster):
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    imc = Imc(cluster.logics[0])
    assert imc.fails(7, "drain", "9").startswith("imc drain: 404 not_found: no such comet lives")
    assert "400 invalid" in imc.fails(4, "drain", "x" * 64)
    frozen = cluster.comets[1]
    frozen.pause()
    try:
        words = imc.fails(8, "drain", "2")
    finally:
        frozen.resume()
    assert "has not done it in time" in words, words
    # Its lease may have lapsed meanwhile: what was told to the life before is not done in the new one.
    wait_for(lambda: imc.run("drain", "2")[0] == 0, 10, "the comet to drain")
    assert cells(imc, "2")["DRAINING"] == "yes"
    imc.ok("undrain", "2")


def test_waiting_ends(own_cluster, uid):
    """drain.rate, one a second, is too low for the time."""
    cluster = own_cluster(comets=2, logics=2, env=SETTINGS)
    imc = Imc(cluster.logics[0])
    clients = [imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid + n)) for n in range(3)]
    wait_for(lambda: cells(imc, "1").get("SESSIONS") == "3", 5, "the sessions")
    code, out, err = imc.run("drain", "1", "--wait", "1s", "--json")
    assert (code, out) == (1, '{"server":"1","draining":true}\n')
    assert err.startswith("imc drain: ") and err.endswith(" sessions are left\n")
    imc.ok("undrain", "1")
    for client in clients:
        client.close()
