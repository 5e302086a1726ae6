"""One message to many users, imgo's /1/pushs: every one of them gets it, online or later."""
import json

import pytest

from cluster import wait_for
from imgo import body_of


def test_everybody_in_the_list_gets_it(shared, connect, uids):
    users = uids(5)
    clients = [connect(shared.comets[0], shared.api.token(uid)) for uid in users]
    shared.api.pushs(users[:4], {"to": "four"})
    assert [c.push() for c in clients[:4]] == [body_of(clients[0], '{"to": "four"}')] * 4
    clients[4].nothing()


def test_the_list_as_a_string(shared, connect, uids):
    users = uids(2)
    clients = [connect(shared.comets[0], shared.api.token(uid)) for uid in users]
    shared.api.pushs(",".join(map(str, users)), "words")
    assert [c.push() for c in clients] == [body_of(clients[0], '"words"')] * 2


def test_a_user_named_twice_gets_it_once(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    shared.api.pushs([uid, uid], 1)
    assert client.push() == body_of(client, "1")
    client.nothing()


def test_the_message_arrives_byte_for_byte(shared, connect, uid):
    message = '{"big": 12345678901234567890123, "f": 1.0, "same":1,"same":2, "u":"\\u00e4", "n":[ 1 , 2 ]}'
    client = connect(shared.comets[0], shared.api.token(uid))
    shared.api.ok("POST", "/1/pushs", '{"m": %s ,"u":[%d]}' % (message, uid))
    assert client.push() == body_of(client, message)


def test_users_who_are_away_find_it_waiting(shared, connect, uids):
    here, away = uids(2)
    client = connect(shared.comets[0], shared.api.token(here))
    shared.api.pushs([here, away], {"a": 1})
    assert client.push() == body_of(client, '{"a": 1}')
    wait_for(lambda: shared.mailbox(away) == 1, what="the message in the mailbox")
    client = connect(shared.comets[0], shared.api.token(away))
    assert client.push() == body_of(client, '{"a": 1}')
    client.nothing()


def test_a_thousand_users(shared, connect, uids):
    users = uids(1000)
    token = shared.api.token(users[500])
    client = connect(shared.comets[0], token)
    before = shared.sum("logic", 'imc_logic_stored_total{by="settle"}')
    shared.api.pushs(users, 7)
    assert client.push() == body_of(client, "7")
    wait_for(lambda: shared.sum("logic", 'imc_logic_stored_total{by="settle"}') - before == 999,
             what="the 999 others' mailboxes")


@pytest.mark.parametrize("what, body", [
    ("body", ""), ("body", "[]"), ("body", '{"u":[1],"m":'), ("u", '{"m":1}'), ("m", '{"u":[1]}'),
    ("u", '{"u":[],"m":1}'), ("u", '{"u":["x"],"m":1}'), ("u", '{"u":"1,","m":1}'), ("u", '{"u":"1,x","m":1}'),
    ("u", '{"u":1,"m":1}'), ("u", '{"u":[1.5],"m":1}'), ("u", '{"u":[1],"u":[2],"m":1}'),
    ("m", '{"u":[1],"m":1,"m":2}'), ("u", json.dumps({"u": list(range(10001)), "m": 1})),
    ("m", json.dumps({"u": [1], "m": "x" * 65536})), ("u", '{"u":[99999999999999999999],"m":1}'),
])
def test_what_is_wrong_is_refused_whole(shared, what, body):
    before = shared.sum("logic", "imc_logic_accepted_total")
    assert shared.api.refused(65534, "POST", "/1/pushs", body).startswith(what)
    assert shared.sum("logic", "imc_logic_accepted_total") == before
