"""Redis gets full: said before, and when it is; what is pushed with a ttl frees its memory."""
import re
import time

from cluster import wait_for
from imgo import body_of
from traffic import QUICK


def used(cluster):
    return int(re.search(r"used_memory:(\d+)", cluster.redis_cli("info", "memory")).group(1))


def test_a_full_redis_is_told_before_and_when(make_cluster, connect, uids):
    cluster = make_cluster(env=QUICK)
    logic = cluster.logics[0]
    here, away = uids(2)
    token = cluster.api.token(away)
    client = connect(cluster.comets[0], cluster.api.token(here))
    cluster.redis_cli("config", "set", "maxmemory", int(used(cluster) * 1.15))
    wait_for(lambda: re.search("redis is nearly full.*percent=80", logic.log()), 15, "the warning", 0.2)
    metrics = logic.metrics()
    assert 0 < metrics["imc_redis_memory_used_bytes"] < metrics["imc_redis_memory_max_bytes"]
    cluster.redis_cli("config", "set", "maxmemory", 1)
    wait_for(lambda: re.search("redis_write: not ready: .*OOM", logic.get("/readyz")[1]), 10, lambda: logic.get("/readyz"))
    error = cluster.api.refused(65535, "POST", "/1/admin/token/new", status=503, uid=away, token="another")
    assert "Redis says: OOM" in error, error
    cluster.api.pushs([here, away], 1)
    assert client.push() == body_of(client, "1")
    cluster.redis_cli("config", "set", "maxmemory", 0)
    wait_for(lambda: cluster.mailbox(away) == 1, 20, "the message to be stored")
    wait_for(logic.ready, 20, lambda: logic.get("/readyz"), 0.2)
    back = connect(cluster.comets[0], token)
    assert back.push() == body_of(back, "1")


def test_short_messages_free_what_they_took(shared, uids):
    users = uids(20)
    tokens = {uid: shared.api.token(uid) for uid in users}
    before = used(shared)
    for uid in users:
        for _ in range(5):
            shared.api.push(uid, "x" * 20_000, ttl=2)
    wait_for(lambda: sum(shared.mailbox(uid) for uid in users) > 50 or used(shared) > before + 1_000_000, 20, "them to wait")
    shared.settled()
    wait_for(lambda: all(shared.redis_cli("exists", f"imc:mb:{uid}", f"imc:soon:{uid}") == "0" for uid in users), 15,
             "the mailboxes to end", 0.2)
    wait_for(lambda: used(shared) < before + 600_000, 10, lambda: f"{used(shared) - before} bytes to be given back", 0.2)
    assert all(shared.api.waiting(uid, tokens[uid]) == [] for uid in users)


def test_a_message_that_has_ended_is_not_stored(make_cluster, uid):
    """Redis is away for longer than the message may wait."""
    cluster = make_cluster(env={**QUICK, "IMC_LOGIC_LOOKUP_TIMEOUT": "100ms"})
    cluster.redis.pause()
    cluster.api.push(uid, "too late", ttl=2)
    end = time.monotonic() + 2.5  # what is waited for is that time passes
    wait_for(lambda: time.monotonic() > end, 5, "the message to end")
    cluster.redis.resume()
    cluster.settled(30)
    assert cluster.sum("logic", "imc_logic_expired_unstored_total") == 1
    assert cluster.mailbox(uid) == 0 and cluster.sum("logic", "imc_logic_stored_total") == 0
