"""What a session sends over TLS counts as it comes over the wire: who makes records of one byte pays for each."""
import pytest

import imgo
import tls
from cluster import wait_for

BURST = 40_000
BODY = b"x" * 3000
SHORTS = 2200  # records of one byte: 51 KB; few enough of them come after the kick for comet to wait for the rest


@pytest.fixture(scope="module")
def cluster(bus):
    with tls.running(bus, env={"IMC_COMET_SESSION_BYTES_PER_SECOND": "1000",
                               "IMC_COMET_SESSION_BYTES_BURST": str(BURST)}) as made:
        yield made


def limited(comet):
    return comet.metrics()['imc_comet_rate_limited_total{limit="bytes"}']


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_records_of_one_byte(cluster, version, uid):
    comet = cluster.comets[0]
    before = limited(comet)
    client = tls.open_client("tcp", comet, cluster.context(version), cluster.api.token(uid))
    for byte in imgo.frame(254, BODY[:SHORTS], 1):
        client.sock.sendall(bytes([byte]))
    assert client.wait_closed() == {"code": 10, "reason": "too fast: more than 1000 bytes a second"}
    wait_for(lambda: limited(comet) == before + 1, what="the counter")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_whole_records_up_to_the_burst(cluster, version, uid):
    """The same frames in a record each: ten of them fit, and twenty do not."""
    client = tls.open_client("tcp", cluster.comets[0], cluster.context(version), cluster.api.token(uid))
    for n in range(10):
        client.send(254, BODY, n)
    assert [client.recv().seq for _ in range(10)] == list(range(10))
    for n in range(10):
        client.send(254, BODY, n)
    assert client.wait_closed()["code"] == 10
