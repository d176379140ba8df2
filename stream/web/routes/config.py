"""The configuration that is in force, without its secrets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from stream.web.answers import Json, answers
from stream.web.masking import without_secrets
from stream.web.parts import Parted
from stream.web.roles import Viewer

router = APIRouter(tags=["control"])


@router.get("/v1/config", responses=answers(dict[str, Any]))
def config(caller: Viewer, parts: Parted) -> Json:
    """The configuration in force, defaults written out and secrets masked."""
    return Json(without_secrets(parts.config))
