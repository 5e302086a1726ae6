"""What the tests of TLS need: certificates, comets with TLS ports, clients."""
import contextlib
import pathlib
import ssl
import subprocess
import tempfile

import cluster as cluster_module
import goim
import imgo

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMS = {"tcp": imgo.TcpClient, "ws": imgo.WsClient, "goim-tcp": goim.TcpClient, "goim-ws": goim.WsClient}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def make_certs(directory, *args):
    subprocess.run([ROOT / "scripts/make-certs", *args[:-1], directory, *args[-1]] if args else
                   [ROOT / "scripts/make-certs", directory], check=True, stdout=subprocess.DEVNULL)


def context(directory, version=None, alpn=None):
    """A client that believes the CA in DIRECTORY, and speaks only VERSION."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(directory / "ca.pem")
    if version:
        made.minimum_version = made.maximum_version = VERSIONS[version]
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


class TlsCluster(cluster_module.Cluster):
    """Its comets have TLS ports too: .tcps and .wss. Certificates are in .certs."""

    def __init__(self, bus, env=None, certs=None, **kwargs):
        self.own_certs = tempfile.TemporaryDirectory(prefix="imc-tls-")
        self.certs = certs or pathlib.Path(self.own_certs.name)
        if not certs:
            make_certs(self.certs)
        super().__init__(bus, env={"IMC_COMET_TLS_CERTIFICATE": str(self.certs / "server.pem"),
                                   "IMC_COMET_TLS_KEY": str(self.certs / "server-key.pem"), **(env or {})}, **kwargs)

    def add_comet(self, **more):
        tcps, wss = cluster_module.free_port(), cluster_module.free_port()
        daemon = super().add_comet(IMC_COMET_TCPS_LISTEN=f"127.0.0.1:{tcps}", IMC_COMET_WSS_LISTEN=f"127.0.0.1:{wss}",
                                   **more)
        daemon.tcps, daemon.wss = ("127.0.0.1", tcps), ("127.0.0.1", wss)
        return daemon

    def context(self, version=None, alpn=None):
        return context(self.certs, version, alpn)

    def stop(self):
        super().stop()
        self.own_certs.cleanup()


@contextlib.contextmanager
def running(bus, **kwargs):
    made = TlsCluster(bus, **kwargs)
    try:
        yield made.wait_ready()
    finally:
        made.stop()


def open_client(form, comet, context, token=None, **kwargs):
    """A client of FORM over TLS; a session, if there is a TOKEN."""
    client = FORMS[form](comet.wss if form.endswith("ws") else comet.tcps, tls=context, **kwargs)
    if token and form.startswith("goim"):
        client.auth(token=token)
    elif token:
        client.auth(token)
    return client


def handshakes(comet, name, result):
    return comet.metrics().get(f'imc_tls_handshakes_total{{end="server",name="{name}",result="{result}"}}', 0)
