"""Pushes for later (deliver_at): on time to a second, once, whatever dies meanwhile; listed, cancelled, limited."""
import json
import os
import subprocess
import time

import pytest

from cluster import SLOW, wait_for
from imgo import body_of

JSON = {"Content-Type": "application/json"}


def push(cluster, value, status=202, logic=0, **headers):
    got, text, _ = cluster.logics[logic].api.request("POST", "/v1/push", json.dumps(value), {**JSON, **headers})
    assert got == status, text
    return json.loads(text)


def listed(cluster, limit=100):
    """All that wait: [{"id", "deliver_at", "push"}]."""
    rows, cursor = [], {}
    while cursor is not None:
        status, page = cluster.api.call("GET", "/v1/scheduled", limit=limit, **cursor)
        assert status == 200, page
        rows += page["scheduled"]
        cursor = {"cursor": page["cursor"]} if "cursor" in page else None
    return rows


@pytest.fixture
def cluster(own_cluster):
    return own_cluster(logics=2, redises=2, env={"IMC_LOGIC_LATER_MAX": "20", "IMC_LOGIC_LATER_HORIZON": "1h"})


def test_it_comes_on_time_and_once(cluster, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    at = int(time.time()) + 3
    value = {"to": {"uids": [uid]}, "body": {"n": 1.50}, "deliver_at": at}
    first = push(cluster, value, **{"Idempotency-Key": f"later-{uid}"})
    assert first == {"messages": [], "scheduled": f"k:later-{uid}", "deliver_at": at}
    assert push(cluster, value, logic=1, **{"Idempotency-Key": f"later-{uid}"}) == first
    assert [(row["id"], row["deliver_at"], row["push"]) for row in listed(cluster)] == [(first["scheduled"], at, value)]
    client.nothing(1)
    assert client.push() == body_of(client, '{"n": 1.5}')
    assert -0.1 < time.time() - at < 1 * SLOW
    client.nothing(1)
    wait_for(lambda: listed(cluster) == [], what="nothing to wait")
    # The call once more: its time is over, and it is known.
    assert push(cluster, value, **{"Idempotency-Key": f"later-{uid}"})["repeated"]
    client.nothing(0.5)


def test_a_key_stands_for_one_push(cluster, connect, uid):
    """Who schedules something else with a key that is taken is told so: it would never be delivered."""
    client = connect(cluster.comets[0], cluster.api.token(uid))
    at = int(time.time()) + 3
    value, key = {"to": {"uids": [uid]}, "body": "first", "deliver_at": at}, {"Idempotency-Key": f"one-{uid}"}
    others = [{**value, "body": "second"}, {**value, "to": {"uids": [uid + 1]}}, {**value, "deliver_at": at + 600}]
    push(cluster, value, **key)
    for other in others:
        assert push(cluster, other, status=409, logic=1, **key)["code"] == "conflict"
    assert client.push() == body_of(client, '"first"')
    wait_for(lambda: listed(cluster) == [], what="nothing to wait")
    # It was pushed: the same push for later is known, and another one is another one.
    again = push(cluster, {**value, "deliver_at": at + 600}, **key)
    assert again["repeated"] and len(again["messages"]) == 1 and "scheduled" not in again
    assert push(cluster, {**value, "body": "second", "deliver_at": at + 600}, status=409, **key)["code"] == "conflict"
    status, answer = cluster.api.call("POST", "/v1/batch", json.dumps(
        [{**value, "deliver_at": at + 600, "id": f"one-{uid}"}, {**others[0], "deliver_at": at + 600, "id": f"one-{uid}"}]), JSON)
    assert status == 200 and [result["status"] for result in answer["results"]] == [202, 409]
    assert answer["results"][0]["repeated"]
    assert listed(cluster) == []


def test_a_key_that_another_push_has_used_meanwhile(cluster, connect, uid):
    """Both were accepted, so both are delivered."""
    client = connect(cluster.comets[0], cluster.api.token(uid))
    key = {"Idempotency-Key": f"two-{uid}"}
    push(cluster, {"to": {"uids": [uid]}, "body": "later", "deliver_at": int(time.time()) + 2}, **key)
    push(cluster, {"to": {"uids": [uid]}, "body": "now"}, logic=1, **key)
    assert client.push() == body_of(client, '"now"')
    assert client.push() == body_of(client, '"later"')
    client.nothing(0.5)


def test_many_in_pages_and_cancelled(cluster, uid):
    at = int(time.time()) + 600
    batch = [{"to": {"uids": [uid]}, "body": n, "deliver_at": at + n % 3} for n in range(12)]
    status, answer = cluster.api.call("POST", "/v1/batch", json.dumps(batch), JSON)
    assert status == 200 and {result["status"] for result in answer["results"]} == {202}
    ids = {result["scheduled"] for result in answer["results"]}
    assert len(ids) == 12
    for limit in (1, 5, 100):
        rows = listed(cluster, limit)
        assert {row["id"] for row in rows} == ids and len(rows) == 12
    for scheduled in ids:
        assert cluster.api.call("DELETE", "/v1/scheduled", id=scheduled) == (200, {"id": scheduled})
        assert cluster.api.call("DELETE", "/v1/scheduled", id=scheduled)[0] == 404
    assert listed(cluster) == []


def test_what_waits_is_limited(cluster, uid):
    at = int(time.time()) + 600
    value = {"to": {"uids": [uid]}, "body": 1, "deliver_at": at}
    answers = [cluster.api.request("POST", "/v1/push", json.dumps(value), JSON) for _ in range(40)]
    taken = [json.loads(text)["scheduled"] for status, text, _ in answers if status == 202]
    assert 10 <= len(taken) <= 20  # half of later.max on each of two shards
    refused = [(text, headers) for status, text, headers in answers if status == 503]
    assert refused and all("later.max" in text and headers["Retry-After"] == "60" for text, headers in refused)
    for scheduled in taken:
        cluster.api.call("DELETE", "/v1/scheduled", id=scheduled)
    answer = push(cluster, {**value, "deliver_at": int(time.time()) + 3700}, status=400)
    assert answer["errors"][0]["pointer"] == "/deliver_at" and "later.horizon" in answer["detail"]
    assert push(cluster, {**value, "to": {}}, status=400)["errors"][0]["pointer"] == "/to"  # checked now, not then
    answer = push(cluster, {**value, "deliver_at": 1})  # over: now
    assert answer["accepted"] == 1 and "scheduled" not in answer
    assert cluster.api.call("GET", "/v1/scheduled", cursor="x")[0] == 400


def test_it_survives_its_logic_and_redis(cluster, connect, uids):
    """The logic that took it is killed, and Redis is restarted with what it has on disk."""
    users = uids(8)
    clients = [connect(cluster.comets[0], cluster.api.token(user)) for user in users]
    at = int(time.time()) + 4
    for user in users:
        push(cluster, {"to": {"uids": [user]}, "body": user, "deliver_at": at})
    cluster.logics[0].kill9()
    for shard in cluster.shards:
        shard.kill9()
        shard.start()
    for client, user in zip(clients, users):
        assert client.push() == body_of(client, str(user))
    assert -0.1 < time.time() - at < 4 * SLOW
    for client in clients:
        client.nothing(0.2)
    cluster.logics[0].start()
    cluster.wait_ready()


def test_a_lease_that_ends_is_taken_over(cluster, connect, uid):
    """A logic took it and died: what it had taken is due again, and the other one pushes it."""
    client = connect(cluster.comets[0], cluster.api.token(uid))
    key = os.urandom(4).hex()
    push(cluster, {"to": {"uids": [uid]}, "body": 5, "deliver_at": int(time.time()) + 600, "id": key})
    take = ("if redis.call('ZREM', 'imc:later', ARGV[1]) == 0 then return 0 end "
            "redis.call('ZADD', 'imc:later:taken', 1, ARGV[1]) return 1")
    moved = sum(int(subprocess.run(["redis-cli", "-p", str(shard.port), "EVAL", take, "0", "k:" + key], text=True, timeout=10,
                                   capture_output=True, check=True).stdout) for shard in cluster.shards)
    assert moved == 1
    assert client.push() == body_of(client, "5")
    client.nothing(0.5)
    assert listed(cluster) == []
