"""What sdk/js does with what a browser knows: the page is hidden and seen again, the network goes and comes. In a real
Chromium, whose DevTools take the network away."""
import time

import pytest

import sdk

LONGEST = 60_000  # pause of the clients, in milliseconds


@pytest.fixture(scope="module")
def browser():
    made = sdk.Browser()
    yield made
    made.stop()


@pytest.fixture
def client(shared, browser, uid):
    url = "ws://{}:{}/sub".format(*shared.comets[0].ws)
    one = browser.client(url=url, token=shared.api.token(uid), heartbeatMs=3_600_000, replyTimeoutMs=1500, ack=True,
                         backoff={"baseMs": 50, "maxMs": LONGEST}).opened()
    one.uid = uid
    yield one
    browser.offline(False)
    one.call("close")


def test_a_page_that_is_seen_again_probes(browser, client):
    """The answer to a heartbeat has the count; by itself the client would send one in an hour."""
    for _ in range(2):
        browser.page.run("document.dispatchEvent(new Event('visibilitychange'))")
        assert client.get("count") == 0
    browser.page.run("Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })")
    browser.page.run("document.dispatchEvent(new Event('visibilitychange'))")
    browser.page.run("delete document.visibilityState")
    assert client.call("send", "x") is not None  # behind it nothing is under way
    assert client.nothing("count")


def test_a_dead_connection_is_noticed_at_once(shared, browser, client):
    """The comet stands still, so that nothing is answered; the page is seen, and the session is given up."""
    shared.comets[0].pause()
    try:
        browser.page.run("document.dispatchEvent(new Event('visibilitychange'))")
        closed = client.get("close")
        assert closed["willRetry"] and "heartbeat" in closed["error"]["message"], closed
    finally:
        shared.comets[0].resume()
    client.opened()
    shared.api.push(client.uid, "back")
    assert client.text() == "back"


def test_without_a_network_it_waits_and_with_one_it_comes_at_once(shared, browser, client):
    """Chromium lets nothing through while it is offline, open connections included. Comet may take the session for open
    still, so that a message goes there; it is acknowledged by nobody, and comes with the next session."""
    browser.offline(True)
    assert "heartbeat" in client.get("close")["error"]["message"]  # of the probe when the network went
    assert client.get("retry")["delayMs"] == LONGEST
    shared.api.push(client.uid, "meanwhile")
    assert client.call("state") == "waiting"
    begin = time.monotonic()
    browser.offline(False)
    client.opened()
    assert time.monotonic() - begin < LONGEST / 1000 / 2
    assert client.text() == "meanwhile"


def test_the_script_for_pages_without_modules(browser):
    """sdk/js/src/global.js sets window.imc."""
    names = browser.page.run("""new Promise((resolve) => {
        addEventListener('imc', () => resolve(Object.keys(window.imc)));
        const script = document.createElement('script');
        script.type = 'module';
        script.src = '/sdk/global.js';
        document.head.append(script);
    })""")
    assert {"Client", "Message", "TokenError"} <= set(names)
