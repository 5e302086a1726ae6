"""The business is asked over TLS, if its certificate is good."""
import contextlib
import ssl

import business as business_module
import certificates
import cluster as cluster_module
import imgo
from cluster import wait_for


def test_over_tls(bus, tmp_path):
    authority = certificates.Authority(tmp_path / "ours", "localhost", "127.0.0.1")
    other = certificates.Authority(tmp_path / "other", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path("server.pem"), authority.path("server-key.pem"))
    business = business_module.Business(business_module.uid_of, context=context)
    cluster = None
    try:
        env = {"IMC_LOGIC_AUTH_URL": business.url(), "IMC_LOGIC_TLS_CA": str(authority.ca)}
        cluster = cluster_module.Cluster(bus, env=env).wait_ready()
        with contextlib.closing(imgo.TcpClient(cluster.comets[0].tcp).auth("user-7")) as client:
            cluster.api.push(7, "hello")
            assert client.push() == b"hello"
        (logic,) = cluster.logics
        certificates.restart(logic, TLS_CA=str(other.ca))
        wait_for(logic.ready)
        wait_for(cluster.comets[0].ready)
        asked = len(business.questions)
        client = imgo.TcpClient(cluster.comets[0].tcp)
        client.send_auth("user-7")
        client.kicked(12)
        assert len(business.questions) == asked
    finally:
        if cluster is not None:
            cluster.stop()
        business.stop()
