"""Answers in JSON, and what the OpenAPI says of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

TEMPLATE: Final = "#/components/schemas/{name}"


class Json(Response):
    """Anything that msgspec encodes. NaN becomes null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


_answers: dict[str, Any] = {}

_ALWAYS: Final = (401, 403, 421, 429)
_CHANGES: Final = (400, 408, 413, 415)


def answers(kind: Any, *codes: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of its answers (`responses=`): one of `kind` with 200, and problems with these codes.
    Those that any request may be answered need not be told.
    """
    (schema,), components = msgspec.json.schema_components([kind], ref_template=TEMPLATE)
    for name, told_of in components.items():
        assert _answers.setdefault(name, told_of) == told_of, f"two answers are called {name}"
    told: dict[int | str, dict[str, Any]] = {
        200: {"description": "As asked.", "content": {"application/json": {"schema": schema}}}
    }
    return told | {code: problems(code) for code in (422, *codes)}


def problems(code: int) -> dict[str, Any]:
    """What the OpenAPI says of an answer that is a problem."""
    schema = {"$ref": TEMPLATE.format(name="Problem")}
    return {"description": HTTPStatus(code).phrase, "content": {"application/problem+json": {"schema": schema}}}


class Misfit(msgspec.Struct):
    """What of a request is not as it must be, such as "query.points", and why."""

    where: str
    problem: str


class Problem(msgspec.Struct, omit_defaults=True):
    """Why something was not done (RFC 9457), and what can be done about it. `errors`: of a request that makes no sense,
    each thing that is not as it must be.
    """

    type: str
    title: str
    status: int
    detail: str
    cure: str | None = None
    errors: list[Misfit] = []


def complete(openapi: dict[str, Any]) -> None:
    """Add to an OpenAPI the schemas of all answers, and the problems that any request to the API may be answered."""
    _, problem = msgspec.json.schema_components([Problem], ref_template=TEMPLATE)
    openapi.setdefault("components", {}).setdefault("schemas", {}).update(_answers | problem)
    for path, operations in openapi["paths"].items():
        for method, told in operations.items():
            codes = (*_ALWAYS, *(_CHANGES if method == "post" else ())) if path.startswith("/v1/") else ()
            for code in codes:
                told["responses"].setdefault(str(code), problems(code))
