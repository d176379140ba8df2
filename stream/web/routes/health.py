"""`/metrics` for Prometheus, `/healthz` and `/readyz` for whoever keeps the service running.

They need no token, and no thread of the pool: they answer while that is busy, and while a worker's loop is stuck.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.web.answers import Json
from stream.web.parts import Parted

router = APIRouter(tags=["health"])

STALLED_AFTER: Final = 60.0
"""Seconds without a turn of the loop after which `/healthz` calls the worker stuck: more than a rebalance takes."""

_TEXT: Final = "text/plain; charset=utf-8"


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_class=Response)
async def metrics(request: Request, parts: Parted) -> Response:
    """Metrics in the text format of Prometheus or OpenMetrics; of the worker in this process, if there is one."""
    if parts.telemetry is None:
        return Response("# no worker runs in this process\n", media_type=_TEXT)
    body, kind = parts.telemetry.render(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": kind, "vary": "Accept"})


@router.get("/healthz", responses={503: {"description": "The loop is stuck."}})
async def healthz(parts: Parted) -> Json:
    """Is the worker's loop turning? Without a worker in this process: it answers."""
    if parts.status is None:
        return Json({"alive": True})
    idle = parts.status().idle
    alive = idle <= STALLED_AFTER
    told = {"alive": alive, "idle_seconds": round(idle, 3), "limit_seconds": STALLED_AFTER}
    return Json(told, _ok_if(alive))


@router.get("/readyz", responses={503: {"description": "It cannot predict."}})
async def readyz(parts: Parted) -> Json:
    """Can the worker predict, and what is wrong, if anything? Without a worker in this process: it answers."""
    if parts.status is None:
        answer: dict[str, Any] = {"ready": True, "state": "ok", "parts": {}}
        return Json(answer)
    status = parts.status()
    return Json(status.report(), _ok_if(status.predicting))


def _ok_if(good: bool) -> int:
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
