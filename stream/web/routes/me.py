"""Who one is here."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter

from stream.web.answers import Json, answers
from stream.web.roles import Viewer

router = APIRouter(tags=["access"])


class Me(msgspec.Struct):
    """Who asks, and what they may do."""

    name: str
    role: str
    loopback: bool


@router.get("/v1/me", responses=answers(Me))
async def me(caller: Viewer) -> Json:
    """Who is asking, by which role, and whether the service listens on a loopback address."""
    return Json(Me(caller.name, caller.role.value, caller.loopback))
