"""What callers are told when something is not done: `application/problem+json`, and never anything of the inside."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from learners.artifacts import ArtifactError
from stream.errors import DataError, DriftlineError, ModelError
from stream.log import masked
from stream.stores.base import Conflict, UnknownVersion
from stream.web.parameters import how_to_ask

log = structlog.get_logger()

LIVE: Final = "/v1/live"
"""Does not end, so there is no HEAD of it."""

PROBLEM: Final = "application/problem+json"

_OF_MODELS: Final = "Name another version, or accept what this one needs: docs/security.md."


class Refused(HTTPException):
    """A request that is not carried out: why, and what the caller can do about it."""

    def __init__(
        self, status: HTTPStatus, detail: str, cure: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.cure = cure

    @property
    def response(self) -> Response:
        return problem(self.status_code, self.detail, self.cure, self.headers)


def problem(
    status: int, detail: str, cure: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """An answer in the form of RFC 9457."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body["detail"] = detail
    if cure is not None:
        body["cure"] = cure
    return Response(msgspec.json.encode(body | more), status, headers, PROBLEM)


def install(app: FastAPI) -> None:
    """Have an application answer errors in this way."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(DriftlineError, _driftline)
    app.add_exception_handler(ArtifactError, _artifact)
    app.add_exception_handler(Exception, _fault)


class Faults:
    """The outermost layer: a fault of ours is logged, and the caller is told where to look, not what it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def begin(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, begin)
        except Exception as error:
            # Without the values of variables, which a logger would add: a token may be among them.
            trace = "".join(traceback.format_exception(error))
            log.error("http_failed", path=scope.get("path"), exception=masked(trace))
            if scope["type"] == "http" and not begun:
                await _told()(scope, receive, send)
            raise  # so that the server closes a connection on which half of an answer was sent


def status_of(error: DriftlineError) -> HTTPStatus:
    """Whose move it is, as HTTP has it."""
    match error:
        case UnknownVersion():
            return HTTPStatus.NOT_FOUND
        case Conflict():
            return HTTPStatus.CONFLICT
        case ModelError() | DataError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case _:
            return HTTPStatus.SERVICE_UNAVAILABLE


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Refused):
        return error.response
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(error.status_code, f"There is nothing at {path}.", "/docs lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        taken = ", ".join(_methods(request))
        detail = f"{path} does not take {request.method}."
        return problem(error.status_code, detail, f"It takes {taken}.", {"Allow": taken})
    return problem(error.status_code, error.detail, headers=error.headers)


def _methods(request: Request) -> list[str]:
    """What an address takes, by all routes that lead there."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods and request.url.path != LIVE else set()))


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(str(step) for step in one["loc"]), "problem": one["msg"]} for one in error.errors()]
    detail = "; ".join(f"{one['where']}: {one['problem']}" for one in found)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, how_to_ask(request), errors=found)


async def _fault(request: Request, error: Exception) -> Response:
    return _told()


def _told() -> Response:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "A fault of Driftline. Its log tells more.")


async def _driftline(request: Request, error: Exception) -> Response:
    assert isinstance(error, DriftlineError)
    status, cure = status_of(error), error.cure
    if cure is None and status is HTTPStatus.UNPROCESSABLE_ENTITY:
        cure = how_to_ask(request)
    return problem(status, error.message, cure)


async def _artifact(request: Request, error: Exception) -> Response:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), _OF_MODELS)
