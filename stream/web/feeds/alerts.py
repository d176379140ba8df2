"""The alerts of a service, for people who have to act on them: what is open, what was done, who has taken note."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from stream.config.model import Config
from stream.errors import DataError
from stream.records import Alert, RawRecord
from stream.sinks.source import is_of
from stream.web.feeds.acknowledged import Note, Notes
from stream.web.feeds.headlines import Headlines
from stream.web.feeds.incidents import MOST, Incident, Incidents, Readings, Stage, Told, alive, place
from stream.web.feeds.reading import Listeners, readable
from stream.web.feeds.tail import Tail
from stream.web.feeds.usual import Usuals
from stream.web.parts import Mark, Usual

MOST_MARKS: Final = 500
"""Marks that an answer holds, the newest."""

_MARKS: Final[Mapping[str, str]] = {
    "concept_drift": "drift",
    "data_drift": "drift",
    "prediction_drift": "drift",
    "data_quality": "quality",
    "label_starvation": "starvation",
    "performance": "fit",
    "model_swap": "swap",
}
"""Kinds of marks by kinds of alerts; other kinds keep their name."""


class Closed(msgspec.Struct, frozen=True):
    """When a drift was over, in the time of the stream, and how: `recovered` or `settled`."""

    ts: float
    how: str


class ChangePoint(msgspec.Struct, frozen=True):
    """Where a change most probably began."""

    offset: int | None
    ts: float | None


class Later(msgspec.Struct, frozen=True):
    """An alert that a drift went further: its id, its time in the stream and by the wall clock, and what is now."""

    id: str
    ts: float
    at: float
    after: float | None


class About(msgspec.Struct, frozen=True):
    """What people are told of an incident beyond its first alert. `at` is when that was told by the wall clock."""

    at: float
    state: Stage
    closed: Closed | None
    acknowledged: Note | None
    headline: str
    change_point: ChangePoint | None
    action_text: str
    later: tuple[Later, ...]


def _shown_type() -> Any:
    """An alert as it is on the topic with what is told about it: `state` is that of the incident."""
    own = [field for field in msgspec.structs.fields(About) if field.name != "state"]
    known = msgspec.structs.fields(Alert)
    named = [(field.name, Stage if field.name == "state" else field.type) for field in (*known, *own)]
    return msgspec.defstruct("ShownAlert", named, kw_only=True)


Shown: Any = _shown_type()
"""The type of what is answered, for its description."""


class Query(NamedTuple):
    """Which incidents are asked for; None: whatever they are. `cursor` is what the answer before has told."""

    state: Stage | None = None
    kind: str | None = None
    feature: str | None = None
    partition: int | None = None
    acknowledged: bool | None = None
    limit: int = 100
    cursor: str | None = None


class Page(msgspec.Struct, frozen=True):
    """Incidents, the newest first, and what to ask with for those before them, if there are any. `heard` is when the
    broker was last heard from; `trouble` is why what is shown may not be all.
    """

    alerts: list[Shown]
    cursor: str | None
    heard: float | None
    trouble: str | None


class AlertsFeed:
    """Follows the alerts topic. `readings` gives the newest states of a partition's detectors; it may fail.

    Safe to use from several threads.
    """

    def __init__(
        self,
        config: Config,
        acknowledged: Notes,
        readings: Callable[[int], Readings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tail = Tail(config.kafka, config.topics.alerts, MOST, self.take)
        self.listeners = Listeners[Any]()
        """Told of each incident that is new or changed."""
        self._is_ours = partial(is_of, config.app)
        self._headlines = Headlines(config)
        self._usuals = Usuals(config)
        self._acknowledged = acknowledged
        self._readings = readings
        self._clock = clock
        self._incidents = Incidents()
        self._lock = threading.Lock()
        self._stages: dict[str, Stage] = {}  # of incidents that last, as they were at the last look
        self._decode = msgspec.json.Decoder(Alert).decode

    # what comes

    def take(self, records: Sequence[RawRecord]) -> None:
        """Take records of the topic. What is no alert, or that of another service, was written by others."""
        changed: list[Incident] = []
        for record, alert in readable(filter(self._is_ours, records), self._decode):
            with self._lock:
                incident = self._incidents.add(Told(alert, max(record.timestamp, 0) / 1000))
            if incident is not None:
                changed.append(incident)
        if self.tail.caught_up.is_set():
            for incident in changed:
                self._tell(incident)

    def _tell(self, incident: Incident) -> Any:
        """Tell of an incident as it is shown now, which is returned."""
        shown = self._shown([incident])[0]
        self.listeners.tell(shown)
        return shown

    def look(self) -> None:
        """Tell of each incident that has begun to recover since the last look, or drifts again. To be called by one
        thread now and then while somebody listens: nothing comes by the topic for that. The first look tells nothing.
        """
        with self._lock:
            lasting = [one for one in self._incidents if one.lasts]
        before, self._stages = self._stages, {one.id: self._stage(one) for one in lasting}
        for one in lasting:
            if before.get(one.id, self._stages[one.id]) != self._stages[one.id]:
                self._tell(one)

    # what is asked

    def find(self, query: Query) -> Page:
        """The incidents that are asked for. Raises DataError for a cursor that is none."""
        before = None if query.cursor is None else _place(query.cursor)
        with self._lock:
            incidents = [one for one in self._incidents if before is None or place(one) < before]
        notes = self._acknowledged.notes()
        asked_for = (one for one in incidents if self._is_asked_for(one, query, notes))
        found = list(islice(asked_for, query.limit + 1))
        shown = found[: query.limit]
        cursor = _cursor(shown[-1]) if len(found) > query.limit else None
        return Page(self._shown(shown), cursor, *self.tail.standing)

    def get(self, id_: str) -> Any | None:
        """The incident that an alert of this id belongs to; None if it is not known."""
        incident = self._find(id_)
        return None if incident is None else self._shown([incident])[0]

    def acknowledge(self, id_: str, who: str, note: str) -> Any:
        """Write that somebody has taken note of an incident; how it is shown now. Raises KeyError, StoreError."""
        incident = self._known(id_)
        with self._lock:
            keep = {one.id for one in self._incidents}
        most = MOST if self.tail.caught_up.is_set() else MOST**2  # what is not read yet is not known to be gone
        self._acknowledged.set(incident.id, Note(who, self._clock(), note), keep, most)
        return self._tell(incident)

    def unacknowledge(self, id_: str) -> Any:
        """Take that back; how the incident is shown now. Raises KeyError, StoreError."""
        incident = self._known(id_)
        self._acknowledged.remove(incident.id)
        return self._tell(incident)

    def open(self) -> int:
        """How many incidents are not over."""
        with self._lock:
            return alive(self._incidents)

    def of_feature(self, feature: str) -> list[str]:
        """Ids of the incidents in which a feature takes part, the newest first."""
        with self._lock:
            return [one.id for one in self._incidents if one.names(feature)]

    def usual(self, feature: str, partition: int | None) -> Usual | None:
        """What a feature was like when all was well, as the newest incident has it that tells of it."""
        with self._lock:
            told = (
                self._usuals.of(one, feature)
                for one in self._incidents
                if partition is None or one.first.alert.partition == partition
            )
            return next((usual for usual in told if usual is not None), None)

    def marks(self, partition: int | None, since: float | None) -> list[Mark]:
        """What happened from a time of the wall clock on, oldest first: the newest 500 of it."""
        with self._lock:
            marks = [mark for one in self._incidents for mark in self._marks(one, partition)]
        recent = [mark for mark in marks if since is None or (mark.at or 0.0) >= since]
        return sorted(recent, key=lambda mark: (mark.at or 0.0, mark.time))[-MOST_MARKS:]

    # what is told

    def _shown(self, incidents: Sequence[Incident]) -> list[Any]:
        notes = self._acknowledged.notes()
        stages = [self._stage(one) for one in incidents]
        shown = []
        with self._lock:
            for one, stage in zip(incidents, stages, strict=True):
                about = self._about(one, stage, notes.get(one.id))
                known = msgspec.structs.asdict(one.first.alert)
                shown.append(Shown(**(known | msgspec.structs.asdict(about))))
        return shown

    def _about(self, one: Incident, stage: Stage, note: Note | None) -> About:
        alert, end = one.first.alert, one.end
        return About(
            at=one.first.at,
            state=stage,
            closed=None if end is None else Closed(end.alert.ts, end.alert.state or "recovered"),
            acknowledged=note,
            headline=self._headlines.headline(alert, one.newest, None if end is None else end.alert),
            change_point=None if alert.change is None else ChangePoint(alert.change.offset, alert.change.ts),
            action_text=self._headlines.action(alert, self._incidents.swap_after(one)),
            later=tuple(Later(told.alert.id, told.alert.ts, told.at, told.alert.after) for told in one.later),
        )

    def _stage(self, incident: Incident) -> Stage:
        return incident.stage(self._readings(incident.first.alert.partition) if incident.lasts else {})

    def _is_asked_for(self, one: Incident, query: Query, notes: Mapping[str, Note]) -> bool:
        alert = one.first.alert
        return (
            (query.kind is None or alert.kind == query.kind)
            and (query.feature is None or one.names(query.feature))
            and (query.partition is None or alert.partition == query.partition)
            and (query.acknowledged is None or (one.id in notes) is query.acknowledged)
            and (query.state is None or self._stage(one) == query.state)
        )

    def _find(self, id_: str) -> Incident | None:
        with self._lock:
            return self._incidents.get(id_)

    def _known(self, id_: str) -> Incident:
        incident = self._find(id_)
        if incident is None:
            raise KeyError(id_)
        return incident

    def _marks(self, incident: Incident, partition: int | None) -> list[Mark]:
        alert = incident.first.alert
        if partition is not None and alert.partition != partition:
            return []
        kind = _MARKS.get(alert.kind, alert.kind)
        marks = [] if alert.over else [_mark(incident, incident.first, kind, self._headlines.headline(alert))]
        marks += [_mark(incident, one, kind, self._headlines.headline(alert, one.alert)) for one in incident.later]
        if incident.end is not None:
            state = incident.end.alert.state or "recovered"
            marks.append(
                _mark(incident, incident.end, state, self._headlines.headline(alert, None, incident.end.alert))
            )
        return marks


def _mark(incident: Incident, told: Told, kind: str, text: str) -> Mark:
    return Mark(told.alert.ts, told.at, kind, incident.id, text)


def _cursor(incident: Incident) -> str:
    at, id_ = place(incident)
    return f"{at!r}~{id_}"


def _place(cursor: str) -> tuple[float, str]:
    at, _, id_ = cursor.partition("~")
    try:
        return float(at), id_
    except ValueError:
        raise DataError(
            f"cursor {cursor[:50]!r} is none", "Ask with the cursor of an answer, or without one."
        ) from None
