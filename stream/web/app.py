"""The web application: the page, the API, metrics and health (docs/api.md)."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

import anyio.to_thread
import structlog
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from stream.web import errors, pages, reference, routes
from stream.web.access import Access
from stream.web.answers import complete
from stream.web.gate import Gate, Shield
from stream.web.live import Hub
from stream.web.parts import Parts

log = structlog.get_logger()

_TOKENS: Final = "driftline tokens new"


class Application(FastAPI):
    """The API over its parts. Its answers are described by the types that they are encoded from."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(
            title=f"Driftline: {parts.config.app}",
            version="1",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=_lifespan,
        )
        self.state.parts = parts
        self.state.hub = Hub(parts)
        errors.install(self)
        for found in pkgutil.iter_modules(routes.__path__):
            self.router.routes.extend(import_module(f"{routes.__name__}.{found.name}").router.routes)
        self.add_route("/docs", self._docs, include_in_schema=False)
        self.router.routes.extend(pages.routes())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema

    async def _docs(self, request: Request) -> Response:
        return reference.page(self.openapi())


def make_app(parts: Parts) -> ASGIApp:
    """The application over these parts, behind its gate. Whoever serves it runs its lifespan: that starts and stops the
    feeds, and lets go of the audit trail. Raises ConfigError for tokens or keys that cannot be used.
    """
    http = parts.config.http
    access = Access(http)
    if http.closed:
        log.warning(
            "api_closed", reason=f"{http.host} is no loopback address, and no token is configured", cure=_TOKENS
        )
    inner: ASGIApp = GZipMiddleware(Application(parts), minimum_size=1024, compresslevel=3)
    return Shield(errors.Faults(Gate(inner, http, access)), tls=http.tls is not None)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    hub: Hub = app.state.hub
    hub.open()
    if parts.feeds is not None:
        parts.feeds.start()
    try:
        yield
    finally:
        hub.close()
        if parts.feeds is not None:
            await anyio.to_thread.run_sync(parts.feeds.stop)
        await anyio.to_thread.run_sync(parts.trail.close)
