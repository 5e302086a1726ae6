"""/v1: a push by JSON reaches users, devices, rooms and all; batches; what is wrong is a problem that names the field."""
import concurrent.futures
import gzip
import http.client
import json
import os

from cluster import wait_for
from imgo import body_of

JSON = {"Content-Type": "application/json"}


def post(cluster, path, value, **headers):
    """(status, answer, headers)"""
    body = value if isinstance(value, (str, bytes)) else json.dumps(value)
    status, text, answer = cluster.api.request("POST", path, body, {**JSON, **headers})
    return status, json.loads(text), answer


def push(cluster, to, body, **more):
    status, answer, _ = post(cluster, "/v1/push", {"to": to, "body": body, **more})
    assert status == 202, answer
    return answer


def test_users_get_it_now_or_later(shared, connect, uids):
    here, away = uids(2)
    client = connect(shared.comets[0], shared.api.token(here))
    answer = push(shared, {"uids": [here, away]}, {"n": 1})
    assert answer["accepted"] == 2 and [m["uid"] for m in answer["messages"]] == [here, away]
    assert client.push() == body_of(client, '{"n": 1}')
    wait_for(lambda: shared.mailbox(away) == 1, what="the message in the mailbox")
    token = shared.api.token(away)
    _, waiting = shared.api.call("GET", "/1/msg/get", uid=away, token=token)
    assert [row["mid_str"] for row in waiting["data"]["msgs"]] == [answer["messages"][1]["id"]]
    later = connect(shared.comets[0], token)
    assert later.push() == body_of(later, '{"n": 1}')


def test_the_message_arrives_byte_for_byte(shared, connect, uid):
    message = '{"big": 12345678901234567890123, "f": 1.0, "same":1,"same":2, "u":"\\u00e4", "n":[ 1 , 2 ]}'
    client = connect(shared.comets[0], shared.api.token(uid))
    status, answer, _ = post(shared, "/v1/push", '{"to":{"uids":[%d]},"body": %s }' % (uid, message))
    assert status == 202, answer
    assert client.push() == body_of(client, message)


def test_rooms_and_all(shared, connect, uids):
    users = uids(3)
    rooms = [f"live://{user}" for user in users]
    clients = [connect(shared.comets[0], shared.api.token(user, room=room)) for user, room in zip(users, rooms)]
    answer = push(shared, {"rooms": rooms[:2]}, 7)
    assert [m["room"] for m in answer["messages"]] == rooms[:2]
    assert [client.push() for client in clients[:2]] == [body_of(clients[0], "7")] * 2
    clients[2].nothing(0.3)
    push(shared, {"all": True}, 8)
    assert [client.push() for client in clients] == [body_of(clients[0], "8")] * 3


def test_bytes(shared, uid):
    answer = push(shared, {"uids": [uid]}, 1)
    status, _, _ = post(shared, "/v1/push", {"to": {"uids": [uid]}, "body_base64": "AAH/"})
    assert status == 202 and answer["accepted"] == 1
    wait_for(lambda: shared.mailbox(uid) == 2, what="both messages in the mailbox")
    assert shared.api.waiting(uid, shared.api.token(uid)) == [b"1", b"\0\1\xff"]


def test_the_same_key_at_the_same_time(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    key = os.urandom(8).hex()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(post, shared, "/v1/push", {"to": {"uids": [uid]}, "body": 1}, **{"Idempotency-Key": key})
                 for _ in range(16)]
    answers = [call.result() for call in calls]
    assert {status for status, _, _ in answers} == {202}
    assert len({json.dumps(answer["messages"]) for _, answer, _ in answers}) == 1
    assert sum("repeated" not in answer for _, answer, _ in answers) == 1
    assert client.push() == body_of(client, "1")
    client.nothing()


def test_a_batch_of_a_thousand_in_order(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    batch = [{"to": {"uids": [uid]}, "body": number} for number in range(1000)]
    batch[500] = {"to": {"uids": ["x"]}, "body": 500}
    status, answer, _ = post(shared, "/v1/batch", batch)
    assert status == 200
    wanted = [202] * 1000
    wanted[500] = 400
    assert [result["status"] for result in answer["results"]] == wanted
    assert answer["results"][500]["errors"][0]["pointer"] == "/to/uids/0"
    got = [client.push() for _ in range(999)]
    assert got == [body_of(client, str(number)) for number in range(1000) if number != 500]
    assert post(shared, "/v1/batch", batch + batch[:1])[0] == 400


def test_what_is_wrong_is_a_problem(shared):
    status, answer, headers = post(shared, "/v1/push", {"to": {"uids": [1, None]}, "body": 1, "x": 1},
                                   **{"X-Request-Id": "mine-1"})
    assert status == 400 and headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-Id"] == "mine-1"
    assert [error["pointer"] for error in answer["errors"]] == ["/to/uids/1", "/x"]
    status, text, headers = shared.api.request("PUT", "/v1/push", b"{}", JSON)
    assert (status, headers["Allow"]) == (405, "POST") and json.loads(text)["code"] == "method_not_allowed"
    status, text, _ = shared.api.request("GET", "/v1/nothing")
    assert status == 404 and json.loads(text)["code"] == "no_such_path"
    status, text, headers = shared.api.request("POST", "/v1/push", b"x" * (2 << 20), JSON)
    assert status == 413 and json.loads(text)["code"] == "too_large"


def test_scopes(strict):
    status, text, headers = strict.api.request("POST", "/v1/push", b"{}", {**JSON, "Authorization": "Bearer wrong"})
    assert status == 401 and json.loads(text)["code"] == "unauthorized" and headers["WWW-Authenticate"] == "Bearer"
    status, _, _ = strict.api.request("GET", "/openapi.json", headers={"Authorization": "Bearer wrong"})
    assert status == 200  # it needs none


def test_the_document_is_compressed(shared):
    connection = http.client.HTTPConnection("127.0.0.1", shared.logics[0].http)
    connection.request("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
    response = connection.getresponse()
    assert response.headers["Content-Encoding"] == "gzip"
    document = json.loads(gzip.decompress(response.read()))
    assert document["openapi"].startswith("3.1")
    connection.close()
