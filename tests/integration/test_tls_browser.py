"""A page that came over https connects to comet's wss port in a real Chromium, which checks our certificates."""
import pathlib
import tempfile

import pytest

import tls
from browser import Browser


@pytest.fixture(scope="module")
def certs():
    with tempfile.TemporaryDirectory(prefix="imc-tls-") as directory:
        tls.make_certs(pathlib.Path(directory))
        yield pathlib.Path(directory)


@pytest.fixture(scope="module")
def page(certs):
    browser = Browser(host="localhost", certs=certs)
    yield browser
    browser.stop()


def test_a_page_over_https_is_pushed_to(bus, page, certs, uid):
    """comet lets in only the page's origin, which is https."""
    env = {"IMC_COMET_WS_ALLOWED_ORIGINS": page.origin}
    with tls.running(bus, certs=certs, env=env) as cluster:
        token = cluster.api.token(uid)
        imgo = page.open("imgo", cluster.comets[0], token).authenticated()
        goim = page.open("goim", cluster.comets[0], {"token": token, "room_id": "live://1"}).authenticated()
        cluster.api.push(uid, '{"hello":"world"}')
        assert imgo.push() == (5, {"hello": "world"})
        cluster.api.push_room("live://1", "room", op=1000)
        while goim.push() != (1000, b"room"):
            pass
        assert tls.handshakes(cluster.comets[0], "wss", "full") >= 1
    assert not page.errors, page.errors
