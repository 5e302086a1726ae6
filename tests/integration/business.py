"""A business that says who connects: an HTTP server on this machine, for auth.url (docs/auth.md). With an ssl.SSLContext over TLS."""
import http.server
import json
import socket
import socketserver
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.business.asked(self, json.loads(body))

    def log_message(self, *_):
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024


class Business:
    """Answers each question by ANSWER(question), which gives (status, bytes or what becomes JSON). Keeps .questions and,
    for each, the request's .headers; .now and .most are how many were under way, now and at most."""

    def __init__(self, answer, port=0, context=None):
        self.answer = answer
        self.questions, self.headers, self.paths = [], [], []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.sockets = set()
        self.server = None
        self.port = port
        self.context = context
        self.start()

    def start(self):
        self.server = _Server(("127.0.0.1", self.port), _Handler)
        self.server.business = self
        if self.context is not None:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path="/who"):
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}{path}"

    def stop(self):
        """As if it were killed: kept connections end, too."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            sockets, self.sockets = self.sockets, set()
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def asked(self, handler, question):
        with self.lock:
            self.sockets.add(handler.connection)
            self.questions.append(question)
            self.headers.append(dict(handler.headers))
            self.paths.append(handler.path)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            status, answer, *more = self.answer(question)
        finally:
            with self.lock:
                self.now -= 1
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            for name, value in more:
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass


def uid_of(question):
    """A token "user-7" is user 7."""
    kind, _, uid = question.get("token", "").partition("-")
    if kind != "user":
        return 200, {"disconnect": {"code": 1, "reason": "who are you?"}}
    return 200, {"uid": int(uid)}
