"""Having all workers pause, and go on."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream.audit import Change, audited
from stream.stores.base import Conflict
from stream.stores.control import Standing
from stream.web.answers import Json, answers
from stream.web.caller import Caller
from stream.web.live import control_of
from stream.web.parts import Parted, Parts
from stream.web.roles import Operator

router = APIRouter(tags=["control"])

Reason = Annotated[str, Field(min_length=1, max_length=500, description="why, for the audit and for those on call")]


class Why(BaseModel):
    """Why something is changed."""

    model_config = {"extra": "forbid"}

    reason: Reason


class Paused(msgspec.Struct):
    """Who had workers pause, when (seconds since the epoch) and why."""

    who: str
    when: float
    reason: str


class ControlAnswer(msgspec.Struct):
    """Whether workers pause now, after how many such changes, and the id of this one in the audit."""

    paused: Paused | None
    epoch: int
    audit: str


@router.post("/v1/pause", responses=answers(ControlAnswer, 409, 503))
def pause(why: Why, caller: Operator, parts: Parted) -> Json:
    """Have all workers take no more records, from a moment later on. What comes meanwhile waits in Kafka."""
    return _change(parts, caller, why.reason, pause=True)


@router.post("/v1/resume", responses=answers(ControlAnswer, 409, 503))
def resume(why: Why, caller: Operator, parts: Parted) -> Json:
    """Have all workers go on from where they paused."""
    return _change(parts, caller, why.reason, pause=False)


def _change(parts: Parts, caller: Caller, reason: str, *, pause: bool) -> Json:
    control = parts.store.control
    before = control.now()

    def make() -> Standing:
        if pause == (before.pause is not None):
            raise Conflict(f"workers {'pause' if pause else 'work'} already.")
        say = control.pause if pause else control.resume
        return say(expected_epoch=before.epoch, who=caller.name, reason=reason)

    change = Change(
        caller.author, "pause" if pause else "resume", f"app {parts.config.app}", control_of(before), reason
    )
    standing, audit = audited(parts.trail, change, make, control_of)
    return Json(control_of(standing) | {"epoch": standing.epoch, "audit": audit})
