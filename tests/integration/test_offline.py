"""Messages to a user who is away wait, and are delivered once, in order, before anything newer."""
from cluster import wait_for
from imgo import body_of


def fill(cluster, uid, n):
    for i in range(n):
        cluster.api.push(uid, str(i))
    wait_for(lambda: cluster.mailbox(uid) == min(n, 20), what="the mailbox to fill")
    cluster.settled()


def test_kept_and_delivered_once_and_in_order(shared, connect, uid):
    token = shared.api.token(uid)
    fill(shared, uid, 7)
    client = connect(shared.comets[0], token)
    assert client.pushes(7) == [body_of(client, str(i)) for i in range(7)]
    client.nothing()
    wait_for(lambda: shared.mailbox(uid) == 0, what="the mailbox to be empty")
    for _ in range(2):
        client.close()
        client = connect(shared.comets[0], token)
        client.nothing()


def test_the_newest_20_are_kept(shared, connect, uid):
    before = shared.sum("logic", "imc_logic_trimmed_total")
    fill(shared, uid, 33)  # more than 20 for a moment, until routers have said that nobody is there
    wait_for(lambda: shared.sum("logic", "imc_logic_trimmed_total") - before == 13, what="the mailbox to be cut")
    client = connect(shared.comets[0], shared.api.token(uid))
    assert client.pushes(20) == [body_of(client, str(i)) for i in range(13, 33)]
    client.nothing()


def test_waiting_ones_come_before_newer_ones(shared, connect, uid):
    token = shared.api.token(uid)
    fill(shared, uid, 10)
    client = connect(shared.comets[0], token)
    for i in range(10, 40):
        shared.api.push(uid, str(i))
    assert client.pushes(40) == [body_of(client, str(i)) for i in range(40)]
    client.nothing()


def test_pushes_while_the_user_connects(shared, connect, uid):
    """Some find nobody and are settled, some find the session: every one comes once, in order."""
    token = shared.api.token(uid)
    for i in range(15):
        shared.api.push(uid, str(i))
    client = connect(shared.comets[0])
    client.send_auth(token)
    for i in range(15, 60):
        shared.api.push(uid, str(i))
    assert client.recv().op == 8
    assert client.pushes(60) == [body_of(client, str(i)) for i in range(60)]
    client.nothing()


def test_a_push_waits_only_its_ttl(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.push(uid, "1", ttl=1)
    shared.api.push(uid, "2", ttl=60)
    shared.api.push(uid, "3")
    wait_for(lambda: shared.mailbox(uid) == 3, what="the mailbox to fill")
    wait_for(lambda: shared.api.waiting(uid, token) == [b"2", b"3"], 5, "the first one to expire", 0.1)
    client = connect(shared.comets[0], token)
    assert client.pushes(2) == [body_of(client, t) for t in "23"]
    client.nothing()


def test_a_push_with_ttl_0_reaches_only_who_is_there(shared, connect, uid):
    token = shared.api.token(uid)
    shared.api.push(uid, "1", ttl=0)
    shared.settled()
    client = connect(shared.comets[0], token)
    client.nothing()
    shared.api.push(uid, "2", ttl=0)
    assert client.push() == body_of(client, "2")


def test_messages_expire_by_the_setting(strict, connect, uid):
    """mailbox.ttl is 2 s in this cluster."""
    token = strict.api.token(uid)
    strict.api.push(uid, "1", ttl=1000)
    wait_for(lambda: strict.mailbox(uid) == 1, what="the message in the mailbox")
    wait_for(lambda: strict.mailbox(uid) == 0, 6, "the message to expire", 0.1)
    connect(strict.comets[0], token).nothing()


def test_bodies_of_any_kind(shared, connect, uid):
    bodies = ['{"a":1}', "plain", '"quoted"', "[1, 2]", "ünïcode €", "x" * 65536, "null", "\x00\x01\x7f", "{broken"]
    for body in bodies:
        shared.api.push(uid, body)
    wait_for(lambda: shared.mailbox(uid) == len(bodies), what="the mailbox to fill")
    client = connect(shared.comets[0], shared.api.token(uid))
    assert client.pushes(len(bodies)) == [body_of(client, body) for body in bodies]
