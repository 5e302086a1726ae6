"""The key of a goim device lives as long as a session with it, and keys.ttl longer."""
import contextlib
import time

import pytest

import cluster as cluster_module
import goim
from cluster import wait_for

TTL = 5


@pytest.fixture(scope="module")
def short(bus):
    cluster = cluster_module.Cluster(bus, env={"IMC_LOGIC_AUTH_TRUST_MID": "yes", "IMC_LOGIC_KEYS_TTL": f"{TTL}s"})
    yield cluster.wait_ready()
    cluster.stop()


@contextlib.contextmanager
def session(cluster, **fields):
    with goim.TcpClient(cluster.comets[0].tcp) as one:
        one.auth(**fields)
        yield one


def reached(cluster, key, one):
    cluster.api.goim("POST", "/goim/push/keys", "x", keys=key, operation=1000)
    return one.push() == (1000, b"x")


def test_an_open_session_keeps_its_key_and_a_closed_one_loses_it(short):
    with session(short, mid=1, key="phone") as phone, session(short, mid=2, key="tablet") as tablet:
        begin = time.monotonic()
        short.redis_cli("del", "imc:key:tablet")  # as a Redis that lost it
        while time.monotonic() < begin + 2.5 * TTL:
            assert int(short.redis_cli("pttl", "imc:key:phone")) > 0
            assert reached(short, "phone", phone)
        assert reached(short, "tablet", tablet)
    wait_for(lambda: short.redis_cli("exists", "imc:key:phone", "imc:key:tablet") == "0", 4 * TTL, "the keys to lapse")
    unknown = short.sum("logic", "imc_logic_keys_unknown_total")
    short.api.goim("POST", "/goim/push/keys", "x", keys=["phone", "tablet"])
    assert short.sum("logic", "imc_logic_keys_unknown_total") == unknown + 2


def test_a_session_does_not_take_its_key_back(short):
    with session(short, mid=3, key="shared"), session(short, mid=4, key="shared") as later:
        begin = time.monotonic()
        while time.monotonic() < begin + TTL:
            assert short.redis_cli("get", "imc:key:shared") == "4"
            assert reached(short, "shared", later)


def test_clients_without_a_key_cost_redis_nothing(short):
    with session(short, mid=5) as one:
        short.api.goim("POST", "/goim/push/mids", "x", mids=5, operation=1000)
        assert one.push() == (1000, b"x")
        assert "imc:key:~" not in short.redis_cli("keys", "imc:key:*")
