"""Brokers as Kafka ships them refuse sessions of less than 6 s: job takes what they allow, and says so."""
import pytest

from imgo import body_of


@pytest.fixture
def bus(own_kafka):
    return own_kafka("group.min.session.timeout.ms=6000\n")


def test_a_session_that_is_too_short(make_cluster, connect, uid):
    cluster = make_cluster()
    assert "longer session" in cluster.jobs[0].log() and "used=6000ms" in cluster.jobs[0].log()
    client = connect(cluster.comets[0], cluster.api.token(uid))
    cluster.api.push(uid, "1")
    assert client.push() == body_of(client, "1")
