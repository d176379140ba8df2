"""The audit trail, read back."""

from __future__ import annotations

from fastapi import APIRouter

from stream.web.answers import Json, answers
from stream.web.feeds.audit import Changes
from stream.web.followed import Cursor, Limit, followed
from stream.web.parts import Parted
from stream.web.roles import Viewer

router = APIRouter(tags=["audit"])


@router.get("/v1/audit", responses=answers(Changes, 503))
def audit(caller: Viewer, parts: Parted, limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Changes by hand, newest first: who, what, when, from where, how it was and is, the outcome."""
    return Json(followed(parts).audit.find(limit, cursor))
