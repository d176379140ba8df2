"""`/docs`: the OpenAPI as a page. It loads nothing from anywhere, and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from starlette.responses import HTMLResponse

from stream.web.gate import PAGE_POLICY

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}"
    "code{font:.9em ui-monospace,monospace}h2{margin-top:2.5rem}h3 code{font-size:1rem}"
    ":root{color-scheme:light dark}"
)


def page(schema: Mapping[str, Any]) -> HTMLResponse:
    """What an OpenAPI says, for people."""
    body = "".join(_operations(schema))
    title = escape(schema["info"]["title"])
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}: API</title><style>{_STYLE}</style><h1>{title}</h1>"
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a>. Requests to /v1 take a token, '
        "<code>Authorization: Bearer ...</code>, unless the service says that everybody on this machine may ask. "
        "Whatever goes wrong is answered as <code>application/problem+json</code>.</p>" + body
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": PAGE_POLICY})


def _operations(schema: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in schema["paths"].items():
        for method, told in operations.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(told.get('description', ''))}</p>"
            yield from _parameters(told.get("parameters", []))
            yield from _body(told, schema)
            answers = (f"{code} {escape(answer['description'])}" for code, answer in told["responses"].items())
            yield f"<p>Answers: {'; '.join(answers)}</p>"


def _parameters(parameters: list[Mapping[str, Any]]) -> Iterator[str]:
    rows = [(one["name"], one["in"], one.get("required", False), one.get("description", "")) for one in parameters]
    yield from _table(("parameter", "in", "", "what"), rows)


def _body(told: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in told.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: <code>{escape(kind)}</code></p>"
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        found = schema["components"]["schemas"].get(name, {})
        rows = [
            (field, "body", field in found.get("required", ()), about.get("description", ""))
            for field, about in found.get("properties", {}).items()
        ]
        yield from _table(("field", "in", "", "what"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, str, bool, str]]) -> Iterator[str]:
    if rows:
        yield "<table><tr>" + "".join(f"<th scope=col>{one}</th>" for one in head) + "</tr>"
        for name, where, required, about in rows:
            needed = "required" if required else ""
            yield f"<tr><td><code>{escape(name)}</code><td>{where}<td>{needed}<td>{escape(about)}</tr>"
        yield "</table>"
