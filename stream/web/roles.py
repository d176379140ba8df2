"""What a route asks of its caller: `def pause(caller: Operator, parts: Parted, ...)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from stream.config.web import Role
from stream.web.caller import Caller
from stream.web.errors import Refused
from stream.web.gate import PUSH, READS
from stream.web.parameters import refuse_unknown

_scheme = HTTPBearer(auto_error=False, description="A token of the configuration, or of the identity provider.")


def _needs(role: Role) -> Callable[[Request, object], Awaitable[Caller]]:
    async def caller(request: Request, _token: Annotated[object, Depends(_scheme)]) -> Caller:
        who: Caller = request.state.caller
        if request.method not in READS:
            _of_our_kind(request)
        if not who.role.may(role):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"This needs the role {role}; {who.name} has the role {who.role}.",
                "Ask with a token that has that role: docs/api.md.",
            )
        refuse_unknown(request)
        return who

    return caller


def _of_our_kind(request: Request) -> None:
    """Only kinds of bodies that a page from elsewhere cannot have a browser send without asking first."""
    headers = request.headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind and headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return  # there is no body
    wanted = "application/octet-stream" if request.url.path == PUSH else "application/json"
    if kind != wanted:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {wanted}.", f"Content-Type: {wanted}")


Viewer = Annotated[Caller, Depends(_needs(Role.VIEWER))]
Operator = Annotated[Caller, Depends(_needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(_needs(Role.ADMIN))]
"""The caller, who may at least so much, and asks for nothing unknown. Whoever may less is answered 403."""
