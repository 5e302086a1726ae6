"""What a business has: HTTP servers on this machine. Server is what they share; Business says who connects, for auth.url
(docs/auth.md); webhook.Receiver gets events."""
import http.server
import json
import socket
import socketserver
import sys
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        owner = self.server.owner
        with owner.lock:
            owner.sockets.add(self.connection)
            owner.paths.append(self.path)
        owner.came(self, body)

    def log_message(self, *_):
        pass


class _HTTPServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def handle_error(self, *args):
        if not isinstance(sys.exc_info()[1], OSError):  # else who breaks off a handshake, or a request
            super().handle_error(*args)


class Server:
    """Each post goes to .came(handler, body), which answers by .reply(). Keeps .paths. Over TLS with an ssl.SSLContext."""

    def __init__(self, port=0, context=None):
        self.port, self.context = port, context
        self.paths = []
        self.lock = threading.Lock()
        self.sockets = set()
        self.start()

    def start(self):
        self.server = _HTTPServer(("127.0.0.1", self.port), _Handler)
        self.server.owner = self
        if self.context is not None:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

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

    def url(self, path, host="127.0.0.1"):
        return f"http{'s' if self.context else ''}://{host}:{self.port}{path}"

    @staticmethod
    def reply(handler, status, content=b"", *headers):
        """CONTENT is bytes, or what becomes JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            handler.send_response(status)
            if status != 204:
                handler.send_header("Content-Length", str(len(body)))
            for name, value in headers:
                handler.send_header(name, value)
            handler.end_headers()
            if status != 204:
                handler.wfile.write(body)
        except OSError:
            pass


class Business(Server):
    """Answers each question by ANSWER(question), which gives (status, content, *headers). Keeps .questions and, for each,
    the request's .headers; .now and .most are how many were under way, now and at most."""

    def __init__(self, answer, port=0, context=None):
        self.answer = answer
        self.questions, self.headers = [], []
        self.now = self.most = 0
        super().__init__(port, context)

    def url(self, path="/who", host="127.0.0.1"):
        return super().url(path, host)

    def came(self, handler, body):
        question = json.loads(body)
        with self.lock:
            self.questions.append(question)
            self.headers.append(dict(handler.headers))
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            answer = self.answer(question)
        finally:
            with self.lock:
                self.now -= 1
        self.reply(handler, *answer)


def uid_of(question):
    """A token "user-7" is user 7."""
    kind, _, uid = question.get("token", "").partition("-")
    if kind != "user":
        return 200, {"disconnect": {"code": 1, "reason": "who are you?"}}
    return 200, {"uid": int(uid)}
