"""A server of HTTP on this machine: it gives ranges of bytes, counts them, and can misbehave."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves ``files``, bytes by name.

    Attributes:
        ranges: every range that was asked for, (start, end), the end exclusive.
        sent: the bytes of all bodies.
        how: ``ranges``, ``whole`` (it ignores ranges), ``cut`` (it closes the connection in the
            middle of a body), ``slow`` (it does not answer), or a status such as ``503``.
    """

    daemon_threads = True

    def __init__(self, files, how):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.how, self.ranges, self.sent = files, how, [], 0
        self.stopped = threading.Event()

    def handle_error(self, request, client_address):
        """Say nothing when a client closes the connection early."""

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        raise AssertionError("a question for the size costs a request")

    def do_GET(self):
        server = self.server
        if server.how == "slow":
            server.stopped.wait(20)
            return
        if server.how.isdecimal():
            self.answer(int(server.how), b"")
            return
        data = server.files.get(self.path.removeprefix("/"))
        if data is None:
            self.answer(404, b"")
            return
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        server.ranges.append((first, last + 1))
        if server.how == "whole":
            self.answer(200, data)
        elif first >= len(data):
            self.answer(416, b"")
        else:
            part = data[first : last + 1]
            self.answer(206, part, f"bytes {first}-{first + len(part) - 1}/{len(data)}")

    def answer(self, status, body, content_range=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.server.how == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.server.sent += len(body)
        self.wfile.write(body)


@contextmanager
def serving(files, how="ranges"):
    """A running server of these files, bytes by name."""
    server = Server(files, how)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
