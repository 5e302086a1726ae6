"""imc bench: what it measures, and its exit codes."""
import contextlib
import http.server
import socket
import threading

import pytest

import tls
from cli import Imc, rows
from cluster import wait_for


def names_comets(api):
    wait_for(lambda: api.call("GET", "/v1/nodes")[1]["nodes"], 20, "logic to know that the comet takes clients")


@contextlib.contextmanager
def silent_comet():
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_times(shared):
    imc = Imc(shared.logics[0])
    names_comets(shared.api)
    out = imc.ok("bench", "--count", "5")
    assert [row[0] for row in rows(out)[1:]] == ["accepted", "delivered"], out
    figures = imc.json("bench", "--count", "3")
    assert figures["pushes"] == 3
    assert 0 < figures["accepted_us"]["p50"] <= figures["delivered_us"]["max"]


def test_tls_goes_to_the_port_that_has_it(bus):
    with tls.running(bus) as cluster:
        names_comets(cluster.api)
        [node] = cluster.api.call("GET", "/v1/nodes")[1]["nodes"]
        assert (node["tcps"], node["tcp"]) == tuple("%s:%d" % port for port in (cluster.comets[0].tcps, cluster.comets[0].tcp))
        imc, ca = Imc(cluster.logics[0]), cluster.certs / "ca.pem"
        assert imc.json("bench", "--count", "2", "--cacert", ca)["pushes"] == 2
        assert "TLS" in imc.fails(3, "bench", "--tls")  # nobody here believes that certificate


def test_tls_needs_a_comet_that_has_it(shared):
    names_comets(shared.api)
    assert "TLS" in Imc(shared.logics[0]).fails(8, "bench", "--tls")


@pytest.mark.parametrize("status,code", [(400, 4), (401, 9), (503, 8)])
def test_no_comet_is_named(status, code):
    """The exit code is that of the call."""
    class Logic(http.server.BaseHTTPRequestHandler):
        def answer(self, got, text):
            self.send_response(got)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, b'{"token":"t"}')

        def do_GET(self):
            self.answer(status, b'{"title":"no"}')

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Logic) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Imc(url=f"http://127.0.0.1:{server.server_address[1]}").fails(code, "bench")
        server.shutdown()


def test_a_device_that_is_not_let_in(shared):
    imc = Imc(shared.logics[0])
    with silent_comet() as address:
        assert "did not let the device in" in imc.fails(5, "bench", "--tcp", address)
    assert address in imc.fails(3, "bench", "--tcp", address)


@pytest.mark.parametrize("count", ["0", "-1", "1000001", "x"])
def test_a_number_that_is_none(shared, count):
    Imc(shared.logics[0]).fails(2, "bench", f"--count={count}")
