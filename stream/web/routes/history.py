"""What workers have told of themselves: the overview, series, drift by feature, labels, workers."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query

from stream.history.answers import Drift, Feature, Labels, Overview, Series, Serving, Workers
from stream.readable import words
from stream.web.answers import Json, answers
from stream.web.followed import nothing_there
from stream.web.live import control_of
from stream.web.parts import Mark, Parted, Parts
from stream.web.roles import Viewer
from stream.web.routes.control import Paused

router = APIRouter(tags=["history"])

Partition = Annotated[
    str, Query(pattern=r"^(all|\d{1,9})$", description="number of a partition; all: all of them together")
]
Since = Annotated[
    float | None,
    Query(ge=0, le=1e11, allow_inf_nan=False, description="seconds since the epoch; left out: all there is"),
]
Points = Annotated[int, Query(ge=2, le=2000, description="most columns of the answer")]


class ChampionAnswer(Serving, kw_only=True):
    """What predicts, and since when (seconds since the epoch), by whom and why it does; null where the registry does
    not know the version that workers tell of.
    """

    digest: str | None
    reason: str | None
    since: float | None
    who: str | None


class OverviewAnswer(Overview, kw_only=True):
    """How the service does. Models are compared by `metric`."""

    champion: ChampionAnswer | None
    paused: Paused | None
    open_alerts: int


class SeriesAnswer(Series, kw_only=True):
    """How partitions did over time, in columns of equal length, and what happened meanwhile."""

    marks: list[Mark]


class FeatureAnswer(Feature, kw_only=True):
    """A feature, or a part of the prediction: what watches it, its values, and its alerts, newest first."""

    alerts: list[str]


@router.get("/v1/overview", responses=answers(OverviewAnswer, 503))
def overview(caller: Viewer, parts: Parted) -> Json:
    """How the service does now: champion, scores, rates, lag, latency, health, and whether it pauses."""
    told = _plain(parts.told.overview())
    told |= control_of(parts.store.control.now())
    told["open_alerts"] = 0 if parts.feeds is None else parts.feeds.open_alerts()
    if serving := told.get("champion"):
        known = parts.store.champion(parts.config.model.name)
        same = known is not None and known.version == serving["version"]
        fields = ("digest", "reason", "since", "who")
        serving |= {field: getattr(known, field) if same else None for field in fields}
    return Json(told)


@router.get("/v1/series", responses=answers(SeriesAnswer, 404, 503))
def series(
    caller: Viewer, parts: Parted, partition: Partition = "all", since: Since = None, points: Points = 300
) -> Json:
    """Rates, lag, latency, label health and scores over time, in columns of equal length, with what happened."""
    number = _known(parts, partition)
    told = _plain(parts.told.series(number, since, points))
    marks: list[Mark] = [] if parts.feeds is None else parts.feeds.marks(number, since)
    marks += [_warning(**one) for one in told.pop("warnings", ())]
    return Json(told | {"marks": sorted(marks, key=lambda mark: (mark.at or 0.0, mark.time))})


@router.get("/v1/drift", responses=answers(Drift, 404, 503))
def drift(
    caller: Viewer, parts: Parted, partition: Partition = "all", since: Since = None, points: Points = 120
) -> Json:
    """How near each detector is to an alarm, over time: its statistic over its threshold."""
    return Json(parts.told.drift(_known(parts, partition), since, points))


@router.get("/v1/features/{name}", responses=answers(FeatureAnswer, 404, 503))
def feature(
    name: Annotated[str, Path(min_length=1, max_length=200)],
    caller: Viewer,
    parts: Parted,
    partition: Partition = "all",
) -> Json:
    """What watches a feature, how it is now against its reference, and the alerts that name it."""
    number = _known(parts, partition)
    found = parts.told.feature(name, number)
    if found is None:
        raise nothing_there(f"No worker has told of a feature {name!r}.", "/v1/drift lists them.")
    told = _plain(found) | {"alerts": [] if parts.feeds is None else parts.feeds.alerts_of(name)}
    if told["reference"] is None and parts.feeds is not None and (usual := parts.feeds.usual(name, number)):
        told |= {"reference": usual.values, "source": usual.source}
    return Json(told)


@router.get("/v1/labels", responses=answers(Labels, 503))
def labels(caller: Viewer, parts: Parted) -> Json:
    """How many labels come, how late, and how many are waited for."""
    return Json(parts.told.labels())


@router.get("/v1/workers", responses=answers(Workers, 503))
def workers(caller: Viewer, parts: Parted) -> Json:
    """Workers, and who has which partition."""
    return Json(parts.told.workers())


def _known(parts: Parts, partition: str) -> int | None:
    """The number of a partition that a worker has told of; None for all of them together."""
    number = number_of(partition)
    if number is not None and number not in parts.told.partitions():
        raise nothing_there(f"No worker has told of a partition {number}.", "/v1/workers lists them.")
    return number


def _warning(detector: str, partition: int, at: float, time: float | None) -> Mark:
    """How a warning stands on the axis of time. There is no alert of it."""
    text = f"The errors may be rising: {words(detector)} warns in partition {partition}."
    return Mark(at if time is None else time, at, "warning", None, text)


def number_of(partition: str) -> int | None:
    """The number of a partition; None for all of them together."""
    return None if partition == "all" else int(partition)


def _plain(told: Any) -> dict[str, Any]:
    """An answer to which something is to be added."""
    plain: dict[str, Any] = msgspec.to_builtins(told, str_keys=True)
    return dict(plain)
