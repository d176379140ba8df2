"""Data quality: records that could not be used, by reason and with samples; whether that is more than usual."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query

from stream.audit import Change, audited
from stream.config.web import Role
from stream.errors import DriftlineError
from stream.web.answers import Json, answers
from stream.web.errors import Refused
from stream.web.feeds import alerts as feed
from stream.web.feeds.quality import SAMPLES, DeadLetters
from stream.web.followed import followed
from stream.web.parts import Parted, Parts
from stream.web.roles import Viewer

router = APIRouter(tags=["quality"])

TOPICS = ("events", "labels")


class Rejected(msgspec.Struct, frozen=True):
    """Of a topic: the share of records that cannot be used, as the alert had it while more than usual is rejected, and
    else of all that tasks have counted (null where that is not known); whether it is more than usual.
    """

    share: float | None
    state: Literal["stable", "drift", "recovering"]


class Quality(msgspec.Struct, frozen=True):
    """Dead letters, and by topic whether more is rejected than usual."""

    dead_letters: DeadLetters
    rejected: dict[str, Rejected]


@router.get("/v1/quality", responses=answers(Quality, 503))
def quality(
    caller: Viewer,
    parts: Parted,
    raw: Annotated[bool, Query(description="values as they are, for admins; this is audited")] = False,
    limit: Annotated[int, Query(ge=0, le=SAMPLES, description="most samples")] = 20,
) -> Json:
    """Dead letters by reason, and samples of them. Of their values only names of fields and kinds are shown."""
    feeds = followed(parts)
    if not raw:
        return Json(_quality(parts, feeds.quality.dead_letters(limit)))
    if not caller.role.may(Role.ADMIN):
        raise Refused(HTTPStatus.FORBIDDEN, f"Values as they are need the role {Role.ADMIN}.", "Ask without raw.")
    change = Change(caller.author, "quality.raw", f"topic {parts.config.topics.dead_letters}")
    letters, _ = audited(
        parts.trail,
        change,
        lambda: feeds.quality.dead_letters(limit, raw=True),
        lambda told: {"samples": len(told.samples)},
    )
    return Json(_quality(parts, letters))


def _quality(parts: Parts, letters: DeadLetters) -> Quality:
    counts = _counts(parts)
    return Quality(letters, {topic: _rejected(parts, topic, counts.get(topic, {})) for topic in TOPICS})


def _rejected(parts: Parts, topic: str, counts: Mapping[str, int]) -> Rejected:
    told = followed(parts).alerts.find(feed.Query(kind="data_quality", feature=topic, limit=1)).alerts
    if told and told[0].state != "closed":
        return Rejected(told[0].after, "drift" if told[0].state == "open" else "recovering")
    total = sum(counts.values())
    return Rejected(counts.get("dead_lettered", 0) / total if total else None, "stable")


def _counts(parts: Parts) -> Mapping[str, Mapping[str, int]]:
    """Records by topic and how they ended; none while the history cannot be had."""
    if parts.history is None:
        return {}
    try:
        told: dict[str, Any] = msgspec.to_builtins(parts.history.overview())
    except DriftlineError:
        return {}
    counts: Mapping[str, Mapping[str, int]] = told["counts"]
    return counts
