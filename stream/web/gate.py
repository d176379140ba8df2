"""What a request has to pass before anything of it is read: names and origins, who it is, how often, how much.

And what every answer says to browsers: nothing to frame, to sniff, to keep or to load from elsewhere.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.config.web import HttpConfig, is_loopback
from stream.web.access import Access
from stream.web.caller import Caller
from stream.web.errors import LIVE, Refused
from stream.web.limits import Rate, bounded, too_long

OPEN: Final = frozenset({"/metrics", "/healthz", "/readyz"})
"""Not limited, whoever asks and by whatever name: those who ask must have their answer when all else is busy."""
READS: Final = frozenset({"GET", "HEAD"})
PUSH: Final = "/v1/models"

_CLOSED: Final = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What the page may load: its own things. Plotly writes styles into the page."""
_HEADERS: Final = {
    "Server": "driftline",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class Shield:
    """Sets the headers of every answer, and answers HEAD as GET."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._always = _HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", _CLOSED)
            await send(message)

        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] != LIVE:
            scope = {**scope, "method": "GET"}  # the server leaves the body out
        await self._app(scope, receive, shielded)


class Gate:
    """Lets through what may pass, with its caller in `request.state.caller` where the address is one of the API."""

    def __init__(self, app: ASGIApp, config: HttpConfig, access: Access) -> None:
        self._app = app
        self._config = config
        self._access = access
        self._requests = Rate(config.limits.requests)
        self._changes = Rate(config.limits.changes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in OPEN and scope["method"] in READS):
            await self._app(scope, receive, send)
            return
        try:
            receive = await self._admitted(scope, receive)
        except Refused as refused:
            await refused.response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive) -> Receive:
        """What is left to read of a request that may pass. Raises Refused."""
        headers, changes = Headers(scope=scope), scope["method"] not in READS
        self._by_our_name(headers)
        client = ip = scope["client"][0] if scope.get("client") else "unknown"
        if scope["path"].startswith("/v1/"):
            try:
                forwarded = any(name in headers for name in _FORWARDED) or not is_loopback(_bare(headers["host"]))
                caller = await self._caller(headers.get("authorization"), ip, forwarded)
            except Refused:
                self._count(ip, changes=False)
                raise
            if "authorization" in headers:
                client = f"token {caller.name}"
            scope.setdefault("state", {})["caller"] = caller
        self._count(client, changes=changes)
        if not changes:
            return receive
        self._from_our_page(headers)
        limits = self._config.limits
        most = limits.model_body if scope["path"] == PUSH else limits.body
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise too_long(most)
        return bounded(receive, most)

    async def _caller(self, authorization: str | None, ip: str, forwarded: bool) -> Caller:
        if authorization is None or not self._access.asks:
            return self._access.caller(authorization, ip, forwarded=forwarded)
        return await anyio.to_thread.run_sync(lambda: self._access.caller(authorization, ip, forwarded=forwarded))

    def _by_our_name(self, headers: Headers) -> None:
        """A page of somebody else's, whose name was made to lead here (DNS rebinding), must not read this service."""
        host = _bare(headers.get("host", ""))
        config = self._config
        named = host in map(str.lower, config.names)
        ours = is_loopback(host) if config.loopback else not config.names
        if not (named or ours):
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This service is not known by the name {host!r}.",
                "Use localhost, or one of http.names." if config.loopback else "Use one of http.names.",
            )

    def _from_our_page(self, headers: Headers) -> None:
        """No other page may have a browser change something here."""
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "A page from elsewhere may change nothing here (Origin).",
                "Use the page that this service serves; a program sends no Origin.",
            )

    def _count(self, client: str, *, changes: bool) -> None:
        wait = self._requests.take(client) or (self._changes.take(client) if changes else 0.0)
        if wait:
            limits = self._config.limits
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"More than {limits.requests} requests a minute, or {limits.changes} changes.",
                "Wait, or raise http.limits.",
                {"Retry-After": str(math.ceil(wait))},
            )


def _bare(host: str) -> str:
    """The name in a Host header, without its port, in small letters."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
