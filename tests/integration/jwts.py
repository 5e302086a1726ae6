"""An issuer of JSON Web Tokens: keys in files, and tokens made by PyJWT, which shares no code with logic."""
import base64
import http.server
import json
import socketserver
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Writes its keys into DIRECTORY; .setting is for jwt.keys."""

    def __init__(self, directory):
        self.secret = b"a secret of more than sixty-four bytes, as HS512 demands it: 0123456789"
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()
        files = {"hmac": self.secret, "rsa": public_pem(self.rsa), "ec": public_pem(self.ec),
                 "ed25519": public_pem(self.ed)}
        for family, text in files.items():
            (directory / family).write_bytes(text)
        self.setting = ",".join(f"{family}={directory / family}" for family in files)

    def key(self, algorithm):
        return {"HS": self.secret, "RS": self.rsa, "PS": self.rsa, "ES": self.ec, "Ed": self.ed}[algorithm[:2]]

    def token(self, uid, algorithm="ES256", lifetime=60, headers=None, key=None, **claims):
        now = time.time()
        claims = {"sub": str(uid), "iat": int(now), "exp": int(now) + lifetime, **claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key(algorithm) if key is None else key, algorithm, headers)

    def forged(self, header, claims, signature=b""):
        """A token put together by hand."""
        return ".".join(b64(json.dumps(part).encode()) for part in (header, claims)) + "." + b64(signature)


def jwk(key, kid):
    """The public part of KEY (EC or Ed25519) as a JWK."""
    algorithm = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.OKPAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class KeyServer:
    """An HTTP server of a JWK Set. .keys are in it, .asked is how often it was asked. .answer(handler), if it is set, answers
    in its place; with an ssl.SSLContext over TLS."""

    def __init__(self, port=0, context=None):
        self.keys, self.asked, self.answer = [], 0, None
        self.port, self.context = port, context
        self.start()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                if outer.answer is not None:
                    outer.answer(self)
                else:
                    outer.respond(self, json.dumps({"keys": outer.keys}).encode())

            def log_message(self, *_):
                pass

        self.server = _Server(("127.0.0.1", self.port), Handler)
        if self.context is not None:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @staticmethod
    def respond(handler, body, status=200):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def url(self):
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}/keys"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
