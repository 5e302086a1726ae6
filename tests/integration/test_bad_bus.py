"""Bad messages on the Kafka topic: skipped with a counter and a line that names the offset; the partition goes on."""
import json
import random
import time

import pytest

from hostile import Fixed, bus_put, hostile, hostile_cluster, pb, varint, wait_for, world  # noqa: F401 (fixtures)

PARTITIONS = 4
PUSH, ROOM, BROADCAST = 0, 1, 2
FIRST_ID = int(time.time() * 1000) << 22  # what is older than mailbox.ttl is not kept
ID = (16, Fixed(FIRST_ID + 5))


def to_uid(uid):
    return (17, Fixed(uid)), (18, 1)


def hint(comet="1", epoch=1, handle=1, **more):
    return (20, pb((1, comet), (2, Fixed(epoch)), (3, Fixed(handle)), *more.items()))


MALFORMED = {
    "a tombstone": None,
    "nothing": b"",
    "garbage": random.Random(5).randbytes(3000),
    "zeros": bytes(300),
    "JSON": b'{"type":0,"uid":1,"msg":"x"}',
    "half an envelope": pb((1, ROOM), (5, "room"), (7, b"x" * 100))[:-50],
    "a length beyond the end": b"\x3a\x7f",
    "a length of 2^63": b"\x3a" + varint(1 << 63),
    "a varint of 11 bytes": b"\x08" + b"\xff" * 11,
    "text where a number belongs": pb((1, b"PUSH"), (2, b"5")),
    "hints that are none": pb((1, PUSH), *to_uid(1), ID, (7, b"x"), (20, b"\xff\xff\xff")),
    "type 3": pb((1, 3), (7, b"x")),
    "type -1": pb((1, -1), (7, b"x")),
    "type 2^31 - 1": pb((1, 2**31 - 1), (7, b"x")),
    "to nobody": pb((1, PUSH), ID, (7, b"x")),
    "to a user, but without id": pb((1, PUSH), *to_uid(1), (7, b"x")),
    "a room without name": pb((1, ROOM), ID, (7, b"x")),
    "a room with NUL": pb((1, ROOM), (5, "r\0x"), ID, (7, b"x")),
    "a hint with NUL": pb((1, PUSH), *to_uid(1), ID, (7, b"x"), (20, pb((1, "c\0x")))),
    "a room of 129 bytes": pb((1, ROOM), (5, "r" * 129), ID, (7, b"x")),
    "a room of 100,000 bytes": pb((1, ROOM), (5, "r" * 100_000), ID, (7, b"x")),
    "a body beyond the limit": pb((1, ROOM), (5, "r"), ID, (7, b"x" * 900_000)),
}


def everywhere(world, *values):
    bus_put(world, *[(partition, None, value) for partition in range(PARTITIONS) for value in values])


def still_served(world, uids=8):
    """Users of every partition (most likely) get what is pushed to them, and nothing is left over in job."""
    sessions = [world.session("tcp" if i % 2 else "ws") for i in range(uids)]
    for client, uid in sessions:
        world.push(uid, '"after"')
    for client, _ in sessions:
        while client.push(20) not in (b'"after"', "after"):  # broadcasts of the test may come first
            continue
        client.close()
    world.cluster.settled()


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(world, case):
    with world.rises(world.job, 'imc_job_malformed_total{what="envelope"}', PARTITIONS):
        everywhere(world, MALFORMED[case])
    world.cluster.settled()


def test_the_log_names_where_it_stands(world):
    time.sleep(1.1)  # lines of one kind are limited to ten a second
    where = rf"message skipped topic={world.cluster.topic} partition=2 offset=\d+ why="
    with world.says(world.job, where + '"type ROOM without room"'), world.says(world.job, where + '"unknown type 3"'), \
            world.says(world.job, where + '".*129|".*128'), world.says(world.job, where + '"not a protobuf'):
        bus_put(world, *[(2, None, MALFORMED[case]) for case in ("a room without name", "type 3", "a room of 129 bytes", "garbage")])


def test_goims_pushes_by_key_to_goims_comets(world):
    with world.rises(world.job, "imc_job_foreign_total", PARTITIONS):
        everywhere(world, pb((1, PUSH), (2, 5), (4, "goim-comet"), (6, "key-1"), (7, b"x")))
    world.cluster.settled()
    assert "keys: a push of goim" not in world.job.log()


def test_goims_pushes_by_key(world):
    with world.rises(world.job, "imc_job_keys_unsupported_total", PARTITIONS), world.says(world.job, "keys: a push of goim"):
        everywhere(world, pb((1, PUSH), (2, 5), (4, world.comet.id), (6, "key-1"), (6, "key-2"), (7, b"x")))
    world.cluster.settled()


def test_after_all_of_it_everybody_is_served(world):
    everywhere(world, *MALFORMED.values())
    still_served(world)


def epoch_of(world):
    return int(json.loads(world.cluster.redis_cli("hget", "imc:members:comet", "1"))["epoch"])


def test_hints_of_nobody(world):
    """They are settled: what cannot be delivered is in the mailbox, and nobody's stream breaks."""
    epoch, uids = epoch_of(world), [world.uid() for _ in range(7)]
    hints = [
        [hint(handle=h) for h in (0, 1, 2**64 - 1)],                                  # another life
        [hint(epoch=epoch, handle=h) for h in (0, 1, 1 << 24, 255 << 56, 2**64 - 1)],  # handles of nobody
        [hint(epoch=epoch, handle=1)] * 1000,                                         # a thousand times the same
        [hint(comet="", epoch=epoch), hint(comet="x" * 10_000), hint(comet=b"\xff")],
        [hint(comet=f"{i}") for i in range(5000)],
        [(20, b"")] * 100,
        [(6, "a key"), (5, "a room"), (4, "a server"), (3, -1)],
    ]
    lines = [(i % PARTITIONS, b"%d" % uid, pb((1, PUSH), (2, 5), *to_uid(uid), (16, Fixed(FIRST_ID + i)), (7, b"hello"), *hints[i]))
             for i, uid in enumerate(uids)]
    bus_put(world, *lines)
    for uid in uids:
        wait_for(lambda: world.cluster.mailbox(uid) == 1, 10, f"the mailbox of {uid}")
    still_served(world)


def test_extreme_values(world):
    """Whatever fits the types is carried out: a user of any number, a room of any bytes, any operation and speed."""
    client, uid = world.session("ws", room="extreme")
    values = [
        *[pb((1, PUSH), (2, 5), *to_uid(u), ID, (7, b"x")) for u in (0, -1, 2**63 - 1, -2**63)],
        pb((1, PUSH), (2, 5), *to_uid(uid), ID, (7, b""), (19, Fixed(1))),            # expired long ago
        *[pb((1, ROOM), (2, op), (5, "extreme"), ID, (7, b"%d" % op)) for op in (0, -1, 2**31 - 1, -2**31)],
        pb((1, ROOM), (2, 5), (5, b"\xff\xfe"), ID, (7, b"x")),
        pb((1, ROOM), (2, 5), (5, "r" * 128), ID, (7, b"x")),
        pb((1, ROOM), (2, 5), (5, "extreme"), ID, (7, b"\xff\0\"\\ not JSON")),
        *[pb((1, BROADCAST), (2, 4711), (3, speed), ID, (7, b"all")) for speed in (-1, -2**31, 2**31 - 1)],
        pb((1, BROADCAST), (2, 4711), *[(99, b"unknown")] * 1000),
        pb(*[(1, i % 3) for i in range(999)], (1, ROOM), (5, "extreme"), (2, 5), (7, b'"the last counts"'), (5, "extreme")),
    ]
    bus_put(world, *[(0, None, value) for value in values])
    got = []
    with client:
        while "the last counts" not in [body for _, body in got] or sum(1 for op, _ in got if op == 4711) < 4:
            frame = client.recv(10)
            got.append((frame.op, frame.body))
    assert [op for op, body in got if body == op] == [0, -1, 2**31 - 1, -2**31], got
    assert sum(1 for op, body in got if (op, body) == (4711, "all")) == 3, got
    still_served(world, 2)
    for u in (0, -1, 2**63 - 1, -2**63):
        assert world.cluster.mailbox(u) == 1
        world.cluster.redis_cli("del", f"imc:mb:{u}")
