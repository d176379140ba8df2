"""Serves the web application from a thread of its own, which goes on answering while everything else is stuck."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
import threading
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream.config.web import HttpConfig, ServerTlsConfig
from stream.errors import ConfigError

HEAD_SECONDS: Final = 30.0
"""Longest time, in seconds, that a connection may take to say what it wants."""
IDLE_SECONDS: Final = 30
"""Time that a connection is kept for another request, in seconds."""
STOP_SECONDS: Final = 2
"""Longest time that requests have to end once the server is to stop, in seconds."""
_BACKLOG: Final = 128
_START_SECONDS: Final = 10.0


class Server:
    """Serves an application on `http.host` and `http.port`.

    The port is bound by the constructor, so that a port in use is known before anything is started; port 0 takes a free
    one, found in `port`. Raises ConfigError when the address cannot be bound, or the certificate cannot be used.
    """

    def __init__(self, app: ASGIApp, config: HttpConfig) -> None:
        tls = {} if config.tls is None else certificate(config.tls)
        self._socket = _bound(config.host, config.port)
        self.host = config.host
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{_reachable(config.host)}:{self.port}/"
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=_Patient,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                log_level="critical",  # what goes wrong in the application it logs itself
                access_log=False,
                server_header=False,
                proxy_headers=False,  # anybody can send them
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
                backlog=_BACKLOG,
                **tls,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="driftline-http", daemon=True)

    def start(self) -> Server:
        """Answer requests from now on."""
        self._thread.start()
        self._server.up.wait(_START_SECONDS)
        return self

    def stop(self) -> None:
        """Stop answering and free the port, within a few seconds. May be called twice, and without a start."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2.0 * STOP_SECONDS + 1.0)
        self._socket.close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class _Patient(H11Protocol):
    """Closes connections that ask for nothing: each takes memory, and there are only so many."""

    _quiet: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._quiet = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if getattr(self, "cycle", None) is None:  # no request has come; the base class's types cannot say so
            self.transport.close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
            made.listen(_BACKLOG)
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise _cannot_bind(host, port, error) from error
    return made


def certificate(tls: ServerTlsConfig) -> dict[str, Any]:
    """Uvicorn's settings for TLS. Raises ConfigError for files that are missing or of no use."""
    cert, key = tls.cert_file, tls.key_file
    for field, path in (("cert_file", cert), ("key_file", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"http.tls.{field}: {path} cannot be read: {error.strerror}.", "Create it, or correct the path."
            ) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"http.tls: {cert} and {key} are no certificate and its key ({getattr(error, 'reason', None) or error}).",
            "Both are PEM, the key without a password, the certificate first in its chain.",
        ) from None
    return {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}


def _reachable(host: str) -> str:
    """A host to put into an address: one that listens everywhere is reached by this machine's own name for itself."""
    try:
        everywhere = not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:  # a name
        everywhere = False
    if everywhere:
        return "localhost"
    return f"[{host}]" if ":" in host else host


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
