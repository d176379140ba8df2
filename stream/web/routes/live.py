"""The live stream: server-sent events."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from stream.web.answers import problems
from stream.web.live import Hub
from stream.web.roles import Viewer
from stream.web.routes.history import Partition, number_of

router = APIRouter(tags=["history"])

_KIND: Final = "text/event-stream"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_KIND: {"schema": {"type": "string"}}}},
    **{code: problems(code) for code in (422, 503)},
}


@router.get("/v1/live", response_class=StreamingResponse, responses=_ANSWERS)
async def live(request: Request, caller: Viewer, partition: Partition = "all") -> StreamingResponse:
    """What is new, as it comes: events `point`, `alert`, `champion`, `control` and `audit`.

    Whoever takes them more slowly than they come is cut off, and may come again.
    """
    hub: Hub = request.app.state.hub
    events = await hub.stream(number_of(partition))
    return StreamingResponse(events, media_type=_KIND, headers={"X-Accel-Buffering": "no"})
