"""A local HTTP server that takes what webhooks post."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Posted(NamedTuple):
    """A request: its headers and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["idempotency-key"]


class Receiver:
    """All that was posted, in its order."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.posted: list[Posted] = []

    @property
    def ids(self) -> list[str]:
        return [posted.id for posted in self.posted]


@contextmanager
def receiving(answer: Callable[[int], int]) -> Iterator[Receiver]:
    """A server whose status code for the n-th request, counted from 1, `answer` says; it may take its time."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(Posted({name.lower(): value for name, value in self.headers.items()}, body))
            try:
                self.send_response(answer(len(receiver.posted)))
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:  # who posted is gone
                self.close_connection = True

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            """Nothing is to be seen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
