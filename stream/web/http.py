"""The worker's HTTP side: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever keeps it running.

Read-only, in threads of its own: it answers also while the worker's loop is stuck, which is when it is needed.
"""

from __future__ import annotations

import errno
import gzip
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

import structlog
from prometheus_client.exposition import gzip_accepted

from stream.errors import ConfigError
from stream.telemetry import Telemetry
from stream.web.status import Status

log = structlog.get_logger()

STALLED_AFTER = 60.0
"""Seconds without a turn of the loop after which `/healthz` calls the worker stuck: more than a rebalance takes."""

_JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_INDEX = (
    "Driftline\n\n/metrics  Prometheus metrics\n/healthz  is the worker's loop turning?\n/readyz   can it predict?\n"
)


class HttpServer:
    """Serves one worker's metrics and health from a daemon thread.

    The port is bound by the constructor, so that a port in use is known before anything is started; port 0 takes a free
    one, found in `port`. Raises ConfigError when the address cannot be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        telemetry: Telemetry,
        status: Callable[[], Status],
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        try:
            self._server = _Server(host, port)
        except OSError as error:
            raise _cannot_bind(host, port, error) from error
        self._server.telemetry = telemetry
        self._server.status = status
        self._server.stalled_after = stalled_after
        self.host = host
        self.port: int = self._server.server_address[1]
        # The interval is how long a stop may take to be noticed, in seconds.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="driftline-http", daemon=True
        )

    def start(self) -> HttpServer:
        """Answer requests from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and free the port. May be called twice, and without a start."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> HttpServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    telemetry: Telemetry
    status: Callable[[], Status]
    stalled_after: float

    def __init__(self, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        super().__init__((str(address[0]), port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the machine's own name, which can take seconds where DNS is slow.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "driftline"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = _TEXT
    timeout = 30.0  # an idle connection must not hold its thread for good
    server: _Server

    _PAGES: ClassVar[dict[str, str]] = {
        "/": "_index",
        "/metrics": "_metrics",
        "/healthz": "_healthz",
        "/readyz": "_readyz",
    }

    def do_GET(self) -> None:
        """Answer one request."""
        page = self._PAGES.get(urlsplit(self.path).path)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, "404 There is /metrics, /healthz and /readyz.\n", _TEXT)
            return
        try:
            status, body, kind = getattr(self, page)()
        except Exception:
            # A bug in what is reported must neither show its inside to the network nor end the connection wordless.
            log.exception("http_failed", path=page)
            status, body, kind = HTTPStatus.INTERNAL_SERVER_ERROR, "500 See the worker's log.\n", _TEXT
        self._answer(status, body, kind)

    do_HEAD = do_GET  # noqa: N815 - names that http.server calls

    def _refuse_method(self) -> None:
        self.close_connection = True  # a body may follow; it is not read
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "405 Only GET and HEAD.\n", _TEXT, {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815

    def _index(self) -> tuple[HTTPStatus, str, str]:
        return HTTPStatus.OK, _INDEX, _TEXT

    def _metrics(self) -> tuple[HTTPStatus, bytes, str]:
        body, kind = self.server.telemetry.render(self.headers.get("Accept", ""))
        return HTTPStatus.OK, body, kind

    def _healthz(self) -> tuple[HTTPStatus, str, str]:
        idle = self.server.status().idle
        alive = idle <= self.server.stalled_after
        body = json.dumps({"alive": alive, "idle_seconds": round(idle, 3), "limit_seconds": self.server.stalled_after})
        return _ok_if(alive), body + "\n", _JSON

    def _readyz(self) -> tuple[HTTPStatus, str, str]:
        status = self.server.status()
        return _ok_if(status.predicting), json.dumps(status.report()) + "\n", _JSON

    def _answer(self, status: HTTPStatus, body: str | bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else body
        headers = dict(headers or {})
        if len(data) > 1024 and gzip_accepted(self.headers.get("Accept-Encoding", "")):
            data = gzip.compress(data, compresslevel=3)
            headers["Content-Encoding"] = "gzip"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def end_headers(self) -> None:
        """Every answer, errors included: nothing to run, to frame, to sniff or to keep."""
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Vary", "Accept, Accept-Encoding")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of the base class
        """Scrapes are not news."""


def _ok_if(good: bool) -> HTTPStatus:
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE


def _cannot_bind(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"http.port: {port} on {host} is in use by another program.",
            "Set http.port to another port, or to 0 for a free one.",
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"http.port: listening on {port} needs rights that this user does not have.",
            "Set http.port to 1024 or above, or to 0 for a free one.",
        )
    return ConfigError(
        f"http.host: cannot listen on {host}:{port} ({error.strerror or error}).",
        "Set http.host to an address of this machine, or to 0.0.0.0 for all of them.",
    )
