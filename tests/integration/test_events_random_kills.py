"""The books of events balance whatever dies: daemons are killed at random, alone and in pairs, while users connect, move
between rooms, get messages, acknowledge some, and leave.

IMC_TEST_KILLS rounds, from IMC_TEST_SEED on; `IMC_TEST_KILLS=20` for a longer run of 12 minutes. A round that fails names
its seed."""
import collections
import os

import pytest

import event_books
import event_crowd
import events
from cluster import Cluster, wait_for
from traffic import QUICK

pytestmark = pytest.mark.long

ROUNDS = int(os.environ.get("IMC_TEST_KILLS", "1"))
SEED = int(os.environ.get("IMC_TEST_SEED", "1"))
PEOPLE = 24
PUSHERS = 12  # a push waits for a router that has just died
FAULTS_S = 10
TYPES = "connected, disconnected, joined, left, stored, delivered, acknowledged, expired"
TOLD = collections.Counter()  # in all rounds


@pytest.fixture(scope="module")
def cluster(bus):
    if bus.kind != "kafka":
        pytest.skip("of a real Kafka")
    env, topic = events.settings(bus, types=TYPES, IMC_LOGIC_BUS_TIMEOUT="2s", IMC_COMET_SESSION_ACK_WAIT="300ms")
    made = Cluster(bus, comets=2, logics=2, routers=2, jobs=2, env={**QUICK, **env, "IMC_LOGIC_MAILBOX_LIMIT": "10"})
    made.events = topic
    yield made.wait_ready()
    made.stop()


def under_faults(cluster, uids, seed):
    """The people, the pushers, and what was done to them. Everything runs again afterwards, and the people stay."""
    kinds = ("plain", "plain", "acked", "both")
    people = [event_crowd.Person(cluster, uid, kinds[n % 4], f"{seed}-{n}") for n, uid in enumerate(uids)]
    pushers = [event_crowd.Pusher(cluster, uids, f"{seed}-p{n}") for n in range(PUSHERS)]
    killer = event_crowd.Killer(cluster, seed)
    for thread in (*people, *pushers):
        thread.start()
    try:
        killer.run(FAULTS_S)
    finally:
        for pusher in pushers:
            pusher.end.set()
            pusher.join()
        for person in people:
            person.calm.set()
    try:
        cluster.heal()
    except AssertionError:
        for person in people:
            person.end.set()
        raise
    return people, pushers, killer.log


def jobs_say(cluster):
    for job in cluster.jobs:
        told = {name: value for name, value in job.metrics().items() if name.startswith("imc_job_events") and value}
        yield f"{job.name}: {told}"


def log_says(cluster, names):
    """What events.log has of NAMES, of sessions or messages, for who has to find out why one of them does not end."""
    for one in events.read(cluster.bus, cluster.events.replace("-events", "-sessions")):
        key = bytes.fromhex(one["key"]).decode(errors="replace")
        if any(key.startswith(name) for name in names):
            yield f"{one['partition']}/{one['offset']} {key}: {one['value'] or 'deleted'}"


def mailbox_says(cluster, uid):
    """What waits for UID, and who is owed it."""
    for name in ("", ":owed", ":devices"):
        words = ("HGETALL", f"imc:mb:{uid}{name}") if name else ("ZRANGE", f"imc:mb:{uid}", "0", "-1", "WITHSCORES")
        yield f"{' '.join(words)}: {cluster.redis_cli(*words)!r}"


def all_over(cluster, people, accepted):
    """Waits until everybody has one session, in a room of its own, and no message is on its way."""
    books = []

    def look():
        books[:] = [event_books.Books(cluster, [person.uid for person in people])]
        return not list(unfinished())

    def unfinished():
        for person in people:
            left = accepted[person.uid].keys() - books[0].over(person.uid)
            for id in left:
                had = f"{'had' if id in person.got else 'had not'}, {'' if id in person.acked else 'not '}acknowledged"
                yield f"{person.uid} ({person.kind}, {had}): {id} ({accepted[person.uid][id]}) not over"
            rooms = books[0].in_rooms(person.uid)
            if len(rooms) != 1 or f"{person.uid}-last" not in next(iter(rooms.values())):
                yield f"{person.uid} ({person.kind}): {rooms}"

    def why():
        late = {person.uid: accepted[person.uid].keys() - books[0].over(person.uid) for person in people}
        open_ones = {person.uid: books[0].in_rooms(person.uid) for person in people}
        names = {f"{uid}.{id}" for uid in late for id in late[uid]}
        names |= {name for uid in late for name in open_ones[uid] if late[uid] or len(open_ones[uid]) != 1}
        words = [*list(unfinished())[:5], *jobs_say(cluster), *log_says(cluster, names)]
        return "\n".join(words + [word for uid in late if late[uid] for word in mailbox_says(cluster, uid)])

    wait_for(look, 60, why, 0.5)


def everything_told(cluster):
    wait_for(lambda: cluster.sum("comet", "imc_comet_events_waiting") == 0, 30, "comets to have said everything", 0.1)
    wait_for(lambda: cluster.redis_cli("LLEN", "imc:facts") == "0", 30, "the log to have all facts", 0.1)
    wait_for(lambda: cluster.sum("job", "imc_job_events_waiting") == 0, 30, "the business to have everything", 0.1)
    assert cluster.redis_cli("EXISTS", "imc:facts:lost") == "0"


def check(cluster, people, pushers, accepted):
    books = event_books.Books(cluster, [person.uid for person in people])
    wrong = [word for person in people for word in person.wrong]
    wrong += [f"unbalanced: {left}" for left in events.balance(books.found) if left]
    for person in people:
        unsure = sum(pusher.unsure[person.uid] for pusher in pushers)
        words = books.check_sessions(person) + books.check_messages(person, accepted[person.uid], unsure)
        wrong += [f"{person.uid} ({person.kind}): {word}" for word in words]
    assert not wrong, "\n".join(wrong[:20])
    return collections.Counter(map(events.kind, books.found))


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_the_books_balance(cluster, uids, seed):
    people, pushers, log = under_faults(cluster, uids(PEOPLE), seed)
    accepted = {person.uid: {id: what for pusher in pushers for id, what in pusher.accepted[person.uid].items()}
                for person in people}
    print("\n".join(log))
    try:
        all_over(cluster, people, accepted)
    finally:
        for person in people:
            person.end.set()
            person.join()
    uids = [person.uid for person in people]
    wait_for(lambda: not event_books.Books(cluster, uids).open(), 30, "all sessions to have ended", 0.5)
    everything_told(cluster)
    counts = check(cluster, people, pushers, accepted)
    print(dict(counts))
    TOLD.update(counts)


def test_every_kind_was_among_them():
    if not TOLD:
        pytest.skip("no round has come to its end")
    assert set(TOLD) == set(TYPES.split(", ")), TOLD
