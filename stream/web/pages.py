"""The page's files, out of the package, and Plotly's JavaScript out of its own. Nothing else can be asked for."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import anyio.to_thread
from prometheus_client.exposition import gzip_accepted
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stream.web.gate import PAGE_POLICY

STATIC: Final = Path(__file__).parent / "static"
PLOTLY: Final = "/static/vendor/plotly.min.js"

_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}
_COMPRESSED: Final = frozenset({".png"})
_LONG: Final = "public, max-age=31536000, immutable"
_ASK: Final = "no-cache"  # kept, and used again once the server says that it is still the same


class _File(NamedTuple):
    kind: str
    tag: str
    plain: bytes
    zipped: bytes | None


def routes() -> list[Route]:
    """The page at `/`, and its files below `/static/`: those that are there now. No other path leads to a file."""
    files: dict[str, Callable[[], _File]] = {}
    for path in sorted(STATIC.rglob("*")):
        if path.is_file() and path.suffix in _KINDS:
            files[f"/static/{path.relative_to(STATIC).as_posix()}"] = cache(lambda path=path: _read(path))
    plotly = _plotly()
    if plotly is not None:
        files[PLOTLY] = cache(lambda: _read(plotly))
    index = cache(lambda: _index(files.get(PLOTLY)))
    return [_route("/", index), *(_route(address, file) for address, file in files.items())]


def _route(address: str, file: Callable[[], _File]) -> Route:
    async def answer(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(file)
        # Whoever asks for the very version that is there may keep it for good.
        keep = _LONG if request.url.query == f"v={found.tag}" else _ASK
        headers = {
            "ETag": f'"{found.tag}"',
            "Cache-Control": keep,
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": PAGE_POLICY,
        }
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if found.zipped is not None and gzip_accepted(request.headers.get("accept-encoding", "")):
            return Response(found.zipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=found.kind)
        return Response(found.plain, headers=headers, media_type=found.kind)

    return Route(address, answer, methods=["GET"], include_in_schema=False)


def _read(path: Path) -> _File:
    return _file(path.suffix, path.read_bytes())


def _file(suffix: str, data: bytes) -> _File:
    zipped = None if suffix in _COMPRESSED else gzip.compress(data, compresslevel=6, mtime=0)
    return _File(_KINDS[suffix], hashlib.sha256(data).hexdigest()[:16], data, zipped)


def _index(plotly: Callable[[], _File] | None) -> _File:
    """The page, which names the version of Plotly that is installed: an upgrade has browsers fetch the new one."""
    page = (STATIC / "index.html").read_bytes()
    if plotly is not None:
        page = page.replace(PLOTLY.encode(), f"{PLOTLY}?v={plotly().tag}".encode())
    return _file(".html", page)


def _plotly() -> Path | None:
    """The JavaScript that the package carries, found without importing it, which would take a second."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("package_data") / "plotly.min.js"
    return path if path.is_file() else None
