"""Alerts: what drifted, how that stands, and who has taken note of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from stream.audit import Change, audited
from stream.errors import InfrastructureError
from stream.web.answers import Json, answers
from stream.web.caller import Caller
from stream.web.feeds import alerts as feed
from stream.web.feeds.incidents import MOST, Stage
from stream.web.followed import Cursor, Limit, followed, nothing_there
from stream.web.parts import Parted, Parts
from stream.web.roles import Operator, Viewer

router = APIRouter(tags=["alerts"])

Id = Annotated[
    str, Path(alias="id", min_length=1, max_length=100, description="id of the alert, or of another of the same drift")
]


class Words(BaseModel):
    """What somebody has to say who takes note of an alert."""

    model_config = {"extra": "forbid"}

    note: str = Field("", max_length=500, description="for others who look at it")


@router.get("/v1/alerts", responses=answers(feed.Page, 503))
def list_alerts(
    caller: Viewer,
    parts: Parted,
    state: Annotated[Stage | None, Query(description="only those in this state")] = None,
    kind: Annotated[str | None, Query(max_length=50, description="only those of this kind")] = None,
    feature: Annotated[str | None, Query(max_length=200, description="only those in which it takes part")] = None,
    partition: Annotated[int | None, Query(ge=0, lt=10**9, description="only those of this partition")] = None,
    acknowledged: Annotated[
        bool | None, Query(description="only those that somebody has taken note of, or not")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Json:
    """Drifts and what else was told, newest first: all alerts of one drift are one entry."""
    asked = feed.Query(state, kind, feature, partition, acknowledged, limit, cursor)
    return Json(followed(parts).alerts.find(asked))


@router.get("/v1/alerts/{id}", responses=answers(feed.Shown, 404, 503))
def show_alert(id_: Id, caller: Viewer, parts: Parted) -> Json:
    """One of them."""
    return Json(_known(parts, id_))


@router.post("/v1/alerts/{id}/acknowledge", responses=answers(feed.Shown, 404, 503))
def acknowledge(id_: Id, words: Words, caller: Operator, parts: Parted) -> Json:
    """Say that one has taken note of it. Everybody sees that; nothing else changes."""
    alerts = followed(parts).alerts
    return _change(
        parts, caller, "acknowledge", id_, words.note, lambda: alerts.acknowledge(id_, caller.name, words.note)
    )


@router.post("/v1/alerts/{id}/unacknowledge", responses=answers(feed.Shown, 404, 503))
def unacknowledge(id_: Id, caller: Operator, parts: Parted) -> Json:
    """Take that back, whoever has said it."""
    alerts = followed(parts).alerts
    return _change(parts, caller, "unacknowledge", id_, "", lambda: alerts.unacknowledge(id_))


def _change(parts: Parts, caller: Caller, what: str, id_: str, reason: str, make: Callable[[], Any]) -> Json:
    before = _known(parts, id_).acknowledged
    change = Change(caller.author, f"alerts.{what}", f"alert {id_}", before, reason)
    shown, _ = audited(parts.trail, change, make, lambda shown: shown.acknowledged)
    return Json(shown)


def _known(parts: Parts, id_: str) -> Any:
    alerts = followed(parts).alerts
    found = alerts.get(id_)
    if found is None and not alerts.tail.caught_up.is_set():
        raise InfrastructureError(f"The alerts are not read yet: {alerts.tail.standing.trouble}.")
    if found is None:
        raise nothing_there(f"There is no alert {id_!r} among the newest {MOST:,}.", "GET /v1/alerts lists them.")
    return found
