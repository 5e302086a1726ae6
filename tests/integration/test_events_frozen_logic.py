"""A logic that stood still for longer than bus.timeout goes on telling events: Kafka had confirmed all that it waited for."""
import concurrent.futures
import time

import events
import imgo
from cluster import wait_for


def test_its_producer_stays(bus, make_cluster, uids):
    env, topic = events.settings(bus, IMC_LOGIC_BUS_TIMEOUT="1s")
    cluster = make_cluster(env=env)
    cluster.events = topic
    logic, users = cluster.logics[0], uids(60)
    tokens = [logic.api.token(uid) for uid in users]

    def visit(token):
        """Was it let in? Comet does not wait for ever."""
        with imgo.TcpClient(cluster.comets[0].tcp) as client:
            try:
                client.auth(token, timeout=30)
            except imgo.Closed as closed:
                assert closed.reason["code"] == 12, closed
                return False
        return True

    let_in = 0
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for n in range(3):
            produced = logic.metrics()['imc_logic_events_total{result="produced"}']
            visits = [pool.submit(visit, token) for token in tokens[n * 20:(n + 1) * 20]]
            wait_for(lambda: logic.metrics()['imc_logic_events_total{result="produced"}'] > produced, every=0.001)
            logic.pause()
            time.sleep(2)
            logic.resume()
            let_in += sum(done.result() for done in visits)
    assert let_in > len(users) / 2
    wait_for(lambda: events.balance(events.firsts(events.events(cluster))) == (set(), set()), what="all ends")
    assert logic.metrics()["imc_logic_events_restarts_total"] == 0, logic.log()[-3000:]
    assert logic.ready()
