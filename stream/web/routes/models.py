"""Versions of the model: what there is, which one serves, and changing that by the rules of `driftline models`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from stream import changes
from stream.audit import Change, audited
from stream.stores.base import Champion, Conflict, VersionMeta
from stream.web.answers import Json, answers
from stream.web.caller import Caller
from stream.web.errors import Refused
from stream.web.parts import Parted, Parts
from stream.web.roles import Admin, Operator, Viewer
from stream.web.routes.control import Reason, Why

router = APIRouter(tags=["models"])

_LARGEST: Final = 2**53 - 1  # of the numbers that JSON and Redis both hold exactly
Version = Annotated[int, Path(ge=1, le=_LARGEST, description="number of the version")]

_pushing = threading.Lock()


class Model(msgspec.Struct):
    """A version. Times are seconds since the epoch; scores and labels are those with which it was made; `trained` are
    the first and last offset of the events it had learned from in its task, `span` of those it was judged on;
    `pinned_by` and the like are null where they do not apply. `held_by` are the tasks in which it lives on beside the
    champion: a roll back to one that served there goes back to what it has learned since.
    """

    version: int
    digest: str
    recipe: str
    parents: list[int]
    reason: str
    created: float
    who: str
    scores: dict[str, float]
    intervals: dict[str, list[float]]
    labels: int
    trained: list[int] | None
    span: list[int] | None
    size_bytes: int
    status: str
    pinned_by: str | None
    entered_by: str | None
    held_by: list[str]


class Models(msgspec.Struct):
    """All versions that are kept, newest first."""

    models: list[Model]


class Changed(msgspec.Struct):
    """The version that was changed, the champion's epoch now, and the id of the change in the audit."""

    version: int
    epoch: int | None
    audit: str


class PushedAnswer(Changed):
    """As for other changes, and whether the version competes with the champion from now on."""

    competes: bool


class Rollback(BaseModel):
    """Where to go back to."""

    model_config = {"extra": "forbid"}

    to: int | None = Field(None, ge=1, le=_LARGEST, description="the version; null: the champion before this one")
    reason: Reason


@router.get("/v1/models", responses=answers(Models, 503))
def list_models(caller: Viewer, parts: Parted) -> Json:
    """All versions that are kept, newest first."""
    told = _teller(parts)
    versions = parts.store.versions(parts.config.model.name)
    return Json(Models([told(meta) for meta in reversed(versions)]))


@router.get("/v1/models/{version:int}", responses=answers(Model, 404, 503))
def show_model(version: Version, caller: Viewer, parts: Parted) -> Json:
    """One version."""
    return Json(_teller(parts)(parts.store.version(parts.config.model.name, version)))


@router.post("/v1/models/rollback", responses=answers(Changed, 404, 409, 503))
def rollback(asked: Rollback, caller: Operator, parts: Parted) -> Json:
    """Go back to an earlier champion. Doing it twice goes back two champions."""

    def make(before: Champion | None) -> Champion:
        name = parts.config.model.name
        return changes.rollback(parts.store, name, asked.to, before, who=caller.name, reason=asked.reason)

    target = "the champion before" if asked.to is None else f"version {asked.to}"
    return _move(parts, caller, "models.rollback", target, asked.reason, make)


@router.post("/v1/models/{version:int}/promote", responses=answers(Changed, 404, 409, 503))
def promote(version: Version, why: Why, caller: Operator, parts: Parted) -> Json:
    """Make a version the champion. It is loaded and its signature checked first; workers swap between two batches."""

    def make(before: Champion | None) -> Champion:
        name = parts.config.model.name
        if before is not None and before.version == version:
            raise Conflict(f"model {name} version {version} is the champion already.", "Name another version.")
        return changes.promote(parts.store, name, version, before, reason=why.reason, who=caller.name)

    return _move(parts, caller, "models.promote", f"version {version}", why.reason, make)


@router.post(
    "/v1/models",
    responses=answers(PushedAnswer, 409, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def push(
    request: Request,
    caller: Admin,
    parts: Parted,
    reason: Annotated[str, Query(min_length=1, max_length=500, description="why; kept with the version")],
    compete: Annotated[bool, Query(description="enter it as a challenger, or only store it")] = True,
) -> Json:
    """Bring in a model that was trained elsewhere: what `driftline models pull` wrote, or a pickle.

    It is tried out on made-up events, signed and stored. The same bytes make no second version.
    """
    data = await request.body()
    return await run_in_threadpool(_push, parts, caller, data, reason, compete)


def _push(parts: Parts, caller: Caller, data: bytes, reason: str, compete: bool) -> Json:
    if not _pushing.acquire(blocking=False):
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE, "Another model is being tried out.", "Wait for it.", {"Retry-After": "5"}
        )
    try:
        name = parts.config.model.name
        change = Change(caller.author, "models.push", f"model {name}", {"bytes": len(data)}, reason)
        pushed, audit = audited(
            parts.trail,
            change,
            lambda: changes.push(
                parts.config, parts.store, data, "the body", compete=compete, reason=reason, who=caller.name
            ),
            changes.Pushed.told,
        )
    finally:
        _pushing.release()
    epoch = None if pushed.champion is None else pushed.champion.epoch
    return Json(PushedAnswer(pushed.version, epoch, audit, pushed.competes))


def _move(
    parts: Parts, caller: Caller, action: str, target: str, reason: str, make: Callable[[Champion | None], Champion]
) -> Json:
    """Have another version serve."""
    name = parts.config.model.name
    before = parts.store.champion(name)
    change = Change(caller.author, action, f"model {name} {target}", changes.pointer(before), reason)
    champion, audit = audited(parts.trail, change, lambda: make(before), changes.pointer)
    return Json(Changed(champion.version, champion.epoch, audit))


def _teller(parts: Parts) -> Callable[[VersionMeta], Model]:
    """What tells of versions, with what the store knows of them now that is not their own metadata."""
    store, name = parts.store, parts.config.model.name
    champion = store.champion(name)
    back = None if champion is None else store.rollback_target(name, champion)
    entered = {one.version: one.who for one in store.challengers.now(name)}
    pins, holders = store.retention.pins(name), store.retention.holders(name)

    def held_by(version: int) -> list[str]:
        return [holder for holder, versions in holders.items() if version in versions]

    def status(version: int) -> str:
        if champion is not None and version == champion.version:
            return "champion"
        if version in entered:
            return "challenger"
        if version == back:
            return "rollback target"
        return "pinned" if version in pins else "library" if held_by(version) else "kept"

    def told(meta: VersionMeta) -> Model:
        version = meta.version
        return Model(
            version=version,
            digest=meta.digest,
            recipe=meta.recipe,
            parents=list(meta.parents),
            reason=meta.reason,
            created=meta.created,
            who=meta.who,
            scores=meta.scores,
            intervals={metric: list(ends) for metric, ends in meta.intervals.items()},
            labels=meta.labels,
            trained=None if meta.trained is None else list(meta.trained),
            span=None if meta.span is None else list(meta.span),
            size_bytes=meta.size,
            status=status(version),
            pinned_by=pins.get(version),
            entered_by=entered.get(version),
            held_by=held_by(version),
        )

    return told
