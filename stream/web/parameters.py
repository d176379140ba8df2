"""The query parameters of an address: those that its OpenAPI has, and no other.

A parameter that nobody reads would be a question that is answered wrongly: `?point=3` is not `?points=3`.
"""

from __future__ import annotations

import difflib

from fastapi import Request
from fastapi.exceptions import RequestValidationError

_NEAR = 0.6


def refuse_unknown(request: Request) -> None:
    """Raises RequestValidationError for query parameters that the address does not take, each with its nearest."""
    known = known_to(request) if request.query_params else []
    unknown = [name for name in dict(request.query_params) if name not in known]
    if unknown:
        raise RequestValidationError([{"loc": ("query", name), "msg": _told(name, known)} for name in unknown])


def known_to(request: Request) -> list[str]:
    """The query parameters that the address takes."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]


def how_to_ask(request: Request) -> str:
    """What there is to know for somebody whose question made no sense."""
    address, names = f"{request.method} {request.scope['route'].path_format}", known_to(request)
    if not names:
        return f"/docs says what {address} takes; there are no query parameters."
    return f"Query parameters of {address}: {', '.join(names)}. /docs says what each may be."


def _told(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    return f"unknown parameter; did you mean {near[0]!r}?" if near else "unknown parameter"
