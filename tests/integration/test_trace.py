"""The way of a traced message: who had it, when, and why it got no further. And the numbers of a push to many."""
import json
import os
import signal
import subprocess
import time

import acked
import pytest
from cluster import BUILD, Cluster, wait_for

JSON = {"Content-Type": "application/json"}
RATE = 50


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "users"
    path.write_text("# nobody yet\n")
    return path


@pytest.fixture(scope="module")
def cluster(bus, listed):
    made = Cluster(bus, env={
        "IMC_LOGIC_TRACE_USERS_FILE": str(listed),
        "IMC_LOGIC_TRACE_RATE": str(RATE),
        "IMC_LOGIC_MAILBOX_LIMIT": "3",
        "IMC_COMET_SESSION_ACK_WAIT": "500ms",
    })
    yield made.wait_ready()
    made.stop()


def push(cluster, to, body="hello", **more):
    status, answer = cluster.api.call("POST", "/v1/push", json.dumps({"to": to, "body": body, **more}), headers=JSON)
    assert status == 202, answer
    return answer


def traced(cluster, to, **more):
    """(id of the message, id of the push)"""
    answer = push(cluster, to, trace=True, **more)
    return answer["messages"][0]["id"], answer["push"]


def way(cluster, message):
    status, answer = cluster.api.call("GET", "/v1/messages", id=message)
    assert status in (200, 404), answer
    return answer if status == 200 else {"state": None, "steps": [], "sessions": []}


def names(story):
    return [step["step"] for step in story["steps"]]


def reason(story, name):
    """By its name: clocks of two daemons may differ by more than lies between their steps."""
    (step,) = [step for step in story["steps"] if step["step"] == name]
    return step["reason"]


def reaches(cluster, message, state, *steps):
    """What is known of MESSAGE when it has come to STATE, and all of STEPS have been told."""
    def there():
        story = way(cluster, message)
        return story if story["state"] == state and set(steps) <= set(names(story)) else None
    return wait_for(there, 20, lambda: f"{state} of {message}: {way(cluster, message)}")


def funnel(cluster, id, **wanted):
    def there():
        status, answer = cluster.api.call("GET", "/v1/pushes/funnel", id=id)
        return answer if status == 200 and wanted.items() <= answer.items() else None
    return wait_for(there, 20, lambda: (wanted, cluster.api.call("GET", "/v1/pushes/funnel", id=id)))


def test_delivered_to_a_plain_session(cluster, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    message, id = traced(cluster, {"uids": [uid]})
    client.push()
    story = reaches(cluster, message, "written", "produced", "read", "dispatched", "sent")
    steps = {step["step"]: step for step in story["steps"]}
    assert sorted(names(story)) == sorted(["accepted", "produced", "read", "dispatched", "sent", "written"])
    assert steps["accepted"]["uid"] == uid and steps["accepted"]["push"] == id == message
    where = (steps["read"]["partition"], steps["read"]["offset"])
    assert (steps["produced"]["partition"], steps["produced"]["offset"]) == where
    assert steps["dispatched"]["server"] == steps["written"]["member"]
    assert [step["service"] for step in story["steps"]][0] == "imc-logic"
    (session,) = story["sessions"]
    sessions = cluster.api.call("GET", "/v1/sessions", uid=uid)[1]["sessions"]
    assert session["session"] == sessions[0]["session"] and session["state"] == "written"
    after = [step["after_us"] for step in story["steps"]]
    assert after == sorted(after) and after[0] == 0 and after[-1] < 60e6
    funnel(cluster, id, accepted=1, sent=1, written=1, acknowledged=0, stored=0, expired=0)


@pytest.mark.parametrize("kind", acked.KINDS)
def test_acknowledged(cluster, uid, kind):
    with acked.connect(cluster.comets[0], kind, cluster.api.token(uid)) as client:
        message, id = traced(cluster, {"uids": [uid]})
        seq, came, _ = client.acked_push()
        assert str(came) == message
        reaches(cluster, message, "written")
        client.ack(seq)
        story = reaches(cluster, message, "acknowledged", "written")
        assert story["sessions"][0]["state"] == "acknowledged"
        funnel(cluster, id, accepted=1, written=1, acknowledged=1, waiting=0)


def test_acknowledged_late(cluster, uid):
    """Not acknowledged for session.ack_wait: it goes to the mailbox, and the session still acknowledges it."""
    with acked.connect(cluster.comets[0], "json", cluster.api.token(uid)) as client:
        message, id = traced(cluster, {"uids": [uid]})
        seq, _, _ = client.acked_push()
        story = reaches(cluster, message, "written", "stored", "dropped")
        assert "not acknowledged" in reason(story, "dropped")
        client.ack(seq)
        reaches(cluster, message, "acknowledged", "taken")
        funnel(cluster, id, stored=1, waiting=0, acknowledged=1)


def test_away_then_delivered_at_the_connect(cluster, connect, uid):
    message, id = traced(cluster, {"uids": [uid]})
    story = reaches(cluster, message, "stored")
    assert story["sessions"] == []
    funnel(cluster, id, accepted=1, sent=0, stored=1, waiting=1)
    connect(cluster.comets[0], cluster.api.token(uid)).push()
    story = reaches(cluster, message, "written", "sent", "taken")
    assert [step["reason"] for step in story["steps"] if step["step"] == "sent"] == ["from the mailbox"]
    funnel(cluster, id, sent=1, written=1, stored=1, waiting=0, expired=0)


def test_expired_in_the_mailbox(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]}, ttl=1)
    reaches(cluster, message, "stored")
    story = reaches(cluster, message, "expired")
    assert names(story)[-1] == "expired"
    funnel(cluster, id, stored=1, waiting=0, expired=1)


def test_expired_before_it_was_stored(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]}, ttl=0)
    assert "no session took it" in reason(reaches(cluster, message, "expired"), "expired")
    funnel(cluster, id, stored=0, expired=1)


def test_trimmed(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]})
    reaches(cluster, message, "stored")
    for _ in range(3):
        push(cluster, {"uids": [uid]})
    assert reason(reaches(cluster, message, "trimmed"), "trimmed") == "mailbox.limit"
    funnel(cluster, id, stored=1, waiting=0, trimmed=1)


def test_deleted_from_the_mailbox_is_not_expired(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]})
    reaches(cluster, message, "stored")
    status, answer = cluster.api.call("DELETE", "/v1/mailbox", uid=uid, upto=message)
    assert status == 200, answer
    reaches(cluster, message, "stored", "taken")
    funnel(cluster, id, stored=1, waiting=0, expired=0)


def test_two_sessions_of_a_user(cluster, connect, uid):
    clients = [connect(cluster.comets[0], cluster.api.token(uid, token=f"two-{uid}")) for _ in range(2)]
    message, id = traced(cluster, {"uids": [uid]})
    for client in clients:
        client.push()
    funnel(cluster, id, accepted=1, sent=2, written=2)
    story = way(cluster, message)
    assert [session["state"] for session in story["sessions"]] == ["written", "written"]


def test_a_push_to_many(cluster, connect, uids):
    here, away = uids(4), uids(3)
    clients = [connect(cluster.comets[0], cluster.api.token(user)) for user in here]
    answer = push(cluster, {"uids": here + away}, trace=True)
    for client in clients:
        client.push()
    funnel(cluster, answer["push"], accepted=7, failed=0, sent=4, written=4, stored=3, waiting=3)
    for row in answer["messages"]:
        reaches(cluster, row["id"], "written" if row["uid"] in here else "stored")


def test_a_push_to_rooms_and_to_all(cluster, connect, uids):
    users = uids(5)
    rooms = [f"trace-{users[0]}", f"trace-{users[1]}"]
    clients = [connect(cluster.comets[0], cluster.api.token(user, room=rooms[i % 2])) for i, user in enumerate(users)]
    answer = push(cluster, {"rooms": rooms}, trace=True)
    for client in clients:
        client.push()
    funnel(cluster, answer["push"], accepted=2, sent=5, written=5, stored=0, expired=0)
    by_room = {row["room"]: row["id"] for row in answer["messages"]}
    story = reaches(cluster, by_room[rooms[0]], "written")
    assert sum(step.get("sessions", 0) for step in story["steps"] if step["step"] == "written") == 3
    answer = push(cluster, {"all": True}, trace=True)
    for client in clients:
        client.push()
    assert funnel(cluster, answer["push"], accepted=1)["accepted"] == 1
    wait_for(lambda: funnel(cluster, answer["push"])["written"] >= 5, what="all of them")


def test_users_on_the_list(cluster, listed, connect, uid):
    logic = cluster.logics[0]
    client = connect(cluster.comets[0], cluster.api.token(uid))
    message = push(cluster, {"uids": [uid]})["messages"][0]["id"]
    client.push()
    listed.write_text(f"# whom we look at\n\n{uid}  # today\n")
    done = 'imc_reloads_total{what="trace.users_file",result="ok"}'
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: logic.metrics().get(done, 0) >= 1, what=lambda: f"the list to be read: {logic.log()[-500:]}")
    answer = push(cluster, {"uids": [uid]})
    assert "push" not in answer
    client.push()
    reaches(cluster, answer["messages"][0]["id"], "written")
    assert way(cluster, message)["state"] is None
    listed.write_text("seven\n")
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: "line 1 is no uid" in logic.log(), what="the log to say what is wrong")
    cluster.api.push(uid, "still")  # the list before stays in force
    client.push()
    status, text = logic.get("/reload", method="POST")  # what else is read anew is
    assert status == 422 and "trace.users_file: failed" in text and "settings: ok" in text, text
    listed.write_text("")
    logic.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: logic.metrics().get(done, 0) >= 2, what="the list to be read again")


def test_a_bad_list_is_refused_at_the_start(tmp_path):
    path = tmp_path / "users"
    env = {"IMC_LOGIC_TRACE_USERS_FILE": str(path), "IMC_LOGIC_BUS_BROKERS": "127.0.0.1:1", "IMC_LOGIC_BUS_TOPIC": "t"}

    def check():
        return subprocess.run([BUILD / "logic" / "imc-logic", "--check"], env={**os.environ, **env}, capture_output=True,
                              text=True, check=False)

    assert "trace.users_file: cannot read" in check().stderr
    path.write_text("7\nseven\n")
    assert "trace.users_file: line 2 is no uid" in check().stderr and check().returncode != 0
    path.write_text("7\n")
    assert check().returncode == 0, check().stderr


def test_one_whose_place_a_newer_one_takes(cluster, uid):
    former, id = traced(cluster, {"uids": [uid]}, collapse="k")
    reaches(cluster, former, "stored")
    newer, _ = traced(cluster, {"uids": [uid]}, collapse="k")
    story = reaches(cluster, former, "replaced", "accepted", "produced", "read", "stored")
    assert "collapse" in story["steps"][-1]["reason"]
    funnel(cluster, id, stored=1, replaced=1, waiting=0, trimmed=0, expired=0)
    assert way(cluster, newer)["state"] == "stored"


def test_nothing_is_kept_of_others(cluster, uid):
    message = push(cluster, {"uids": [uid]})["messages"][0]["id"]
    wait_for(lambda: cluster.mailbox(uid) == 1, what="it in the mailbox")
    before = cluster.sum("logic", 'imc_logic_refused_total{reason="parameter"}')
    status, answer = cluster.api.call("GET", "/v1/messages", id=message)
    assert status == 404 and answer["code"] == "not_found" and "not traced" in answer["detail"], answer
    status, answer = cluster.api.call("GET", "/v1/pushes/funnel", id=message)
    assert status == 404 and "not traced" in answer["detail"], answer
    # a look-up that finds nothing is no refusal
    assert cluster.sum("logic", 'imc_logic_refused_total{reason="parameter"}') == before


def test_by_a_path(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]})
    reaches(cluster, message, "stored")
    assert cluster.api.call("GET", f"/v1/messages/{message}") == cluster.api.call("GET", "/v1/messages", id=message)
    funnel(cluster, id, stored=1)
    assert cluster.api.call("GET", f"/v1/pushes/{id}/funnel") == cluster.api.call("GET", "/v1/pushes/funnel", id=id)
    for path in ("/v1/messages/x", "/v1/pushes/-1/funnel"):
        status, answer = cluster.api.call("GET", path)
        assert status == 400 and "id" in json.dumps(answer["errors"]), answer
    assert cluster.api.call("GET", "/v1/messages/1")[0] == 404


def test_it_is_forgotten_after_an_hour(cluster, uid):
    message, id = traced(cluster, {"uids": [uid]})
    reaches(cluster, message, "stored")
    for key in (f"imc:trace:{message}", f"imc:push:{id}"):
        assert 3500 < int(cluster.redis_cli("ttl", key)) <= 3600


def test_a_frozen_redis_keeps_no_push_from_who_is_online(cluster, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    cluster.redis_cli("client", "pause", "700")
    message, _ = traced(cluster, {"uids": [uid]})
    client.push(timeout=0.6)
    reaches(cluster, message, "written", "accepted", "produced", "read")


def test_beyond_the_rate(cluster, uids):
    """All are pushed; of those beyond trace.rate, steps are not kept."""
    time.sleep(1)  # what the tests before have used up of the rate
    users = uids(4 * RATE)
    before = cluster.sum("logic", "imc_logic_traces_limited_total")
    answer = push(cluster, {"uids": users}, trace=True)
    assert answer["accepted"] == len(users)
    funnel(cluster, answer["push"], accepted=len(users), stored=len(users))
    known = sum(way(cluster, row["id"])["state"] is not None for row in answer["messages"])
    limited = cluster.sum("logic", "imc_logic_traces_limited_total") - before
    assert RATE / 2 <= known < 3 * RATE and known + limited == len(users)
    several = [{"to": {"uids": users[:RATE]}, "body": 1, "trace": True}] * 5
    status, answer = cluster.api.call("POST", "/v1/batch", json.dumps(several), headers=JSON)
    assert status == 200 and [result["accepted"] for result in answer["results"]] == [RATE] * 5
    last = answer["results"][-1]
    assert last["traced"] is False and "push" not in last
