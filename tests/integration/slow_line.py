"""A TCP relay whose answers take their time, in the order in which they came."""
import queue
import socket
import threading
import time


class SlowLine:
    """Relays connections to TARGET (a port, set later). What comes back from there is DELAY seconds late."""

    def __init__(self, delay):
        self.delay = delay
        self.target = None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.server.close()
        for sock in self.open:
            sock.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                far.settimeout(None)
            except OSError:
                if self.server.fileno() < 0:
                    return
                near.close()
                continue
            self.open += [near, far]
            late = queue.Queue()
            for run, args in ((self._copy, (near, far)), (self._receive, (far, late)), (self._send, (late, near))):
                threading.Thread(target=run, args=args, daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _receive(self, source, late):
        data = b"begin"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            late.put((time.monotonic() + self.delay, data))

    @staticmethod
    def _send(late, sink):
        while True:
            due, data = late.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                sink.sendall(data)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
            except OSError:
                return
