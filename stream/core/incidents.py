"""One drift, one alert: the signals of one change are an incident, which is told when it begins and when it is over.

A signal belongs to an open incident of its kind in which the same feature (or the errors) has drifted already, as a
whole or in the same segment; or else to one whose alert came while its own change was under way: it began no later than
that, or was found within a window's length of it. What belongs to an open incident is not told again unless it has
moved on, from the last that was told, by as much as it had moved at first; all that took part is named when the
incident is over. Other signals open an incident.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from msgspec import structs

from detectors.base import Behind, Reading
from detectors.segments import OTHER
from stream.core.alerts import Cooldown, contributor, id_of, notable
from stream.core.endings import FEWEST_ERRORS, ErrorEnding, FeatureEnding, Member, RecordEnding, Subject
from stream.core.levels import Errors, Level, Stretch, concerns, levels
from stream.core.pending import Waiting
from stream.records import Alert, AlertState, Contributor, Features

BLOCK: Final = 25
"""Events after which the drifts of features found among them are told together: what changes at once is one drift."""

MOST: Final = 5
"""Contributors that an alert names."""

_TIMES_USUAL: Final = 2.0
"""A share of rejected records is not back above so many times the usual: a third of the way to all is too much."""

_NO_EVIDENCE: Final[Mapping[str, Any]] = dict.fromkeys(
    (
        "effect",
        "statistic",
        "threshold",
        "p_value",
        "expected_events_per_false_alarm",
        "change",
        "reference",
        "current",
        "detail",
    )
)


Readings: TypeAlias = Callable[[], Mapping[tuple[str, str], Reading]]
"""Gives the newest readings by (detector, feature). They are dear."""

E = TypeVar("E", ErrorEnding, FeatureEnding)


class Place(NamedTuple):
    """Where a stream stands: how many of its values have come, and offset and time of the newest."""

    position: int
    offset: int
    ts: float


class Incident:
    """A drift that is not over. `alert` is the one it was opened with, `position` where that was found; `errors` are
    those since the change, if it is one of errors; `window` are the rows over which the window lay that gave the alarm.
    """

    def __init__(
        self, alert: Alert, position: int, levels: tuple[Level, Level], errors: Stretch | None, window: int
    ) -> None:
        self.alert = alert
        self.position = position
        self.first = _member(alert, levels)
        self.members: dict[Subject, Member] = {_subject(alert): self.first}
        self.ending: ErrorEnding | FeatureEnding
        if _of_errors(alert) or _of_records(alert):
            ending = RecordEnding if _of_records(alert) else ErrorEnding
            self.ending = ending(self.first, _took(alert), errors)
        else:
            self.ending = FeatureEnding(self.members, window, position)
        self.since: float | None = None  # when it was told
        self._window = window

    def has(self, alert: Alert) -> bool:
        """Whether what an alert is about has drifted in it, or all of that of which it is a segment."""
        whole = (alert.feature, None)
        return alert.kind == self.alert.kind and (_subject(alert) in self.members or whole in self.members)

    @property
    def has_all_errors(self) -> bool:
        """Whether it is a drift of the errors of the whole stream."""
        return _of_errors(self.alert) and self.alert.segment is None

    def meets(self, alert: Alert, position: int, rows: Behind) -> bool:
        """Whether it was opened while the change was under way that an alert found at a position tells of, with windows
        that lie so many rows back.
        """
        reach = max(rows.changed or 0, rows.current, self._window)
        return alert.kind == self.alert.kind and position - reach <= self.position

    def contributors(self) -> tuple[Contributor, ...]:
        """All that took part, the clearest first."""
        return _clearest(self.first.evidence, (member.evidence for member in self.members.values()))


class Incidents:
    """The drifts of a task, or of the records of one of its topics, that are not over. Bounded by the number of
    features and segments.

    Within the cooldown after an alert, what would be told of the same kind, feature and segment is held back: a drift
    that is still there when it has passed is told then.
    """

    def __init__(self, cooldown: float) -> None:
        self._cooldown = Cooldown(cooldown)
        self._open: list[Incident] = []
        self._found: list[tuple[Alert, int, Behind]] = []  # drifts of features in the present block, and where they are
        self._errors = Errors()
        self._last: Incident | None = None  # drift of all errors that is over

    def count(self) -> Counter[str]:
        """Drifts by kind that were told and are not over."""
        return Counter(one.alert.kind for one in self._open if one.since is not None)

    # features: what is found is told at the end of its block

    def found(self, alert: Alert, position: int, rows: Behind) -> None:
        """A detector has found a drift of features (or of predictions) after so many events, with windows that lie so
        many events back.
        """
        self._found.append((alert, position, rows))

    def block_ended(self, at: Place, readings: Readings) -> list[Alert]:
        """What is to be told after a block of events."""
        due = [ending for _, ending in self._of(FeatureEnding) if ending.due(at.position)]
        if not self._found and not due:
            return []
        found, self._found = self._found, []
        now = cache(readings)
        alerts: list[Alert] = []
        for alert, position, rows in found:
            beside = [contributor(other) for other, *_ in found if other.kind == alert.kind]
            alerts += self._take(alert, position, rows, at, beside, now)
        for ending in due:
            ending.review(now())
        for incident, ending in self._of(FeatureEnding):
            alerts += self._look_at(incident, ending.verdict(), at)
        return alerts

    # errors: what is found is told at once

    def erred(self, labelled: Sequence[Waiting], place: Callable[[int], tuple[int, float]]) -> list[Alert]:
        """Take the champion's errors on the next labels, as far as there are any; what is to be told after them.
        `place` gives offset and time of a label by its position among them.
        """
        self._errors.take([one.error for one in labelled if one.error is not None])
        if not self._of(ErrorEnding):
            return []
        return [
            alert
            for index, one in enumerate(labelled)
            if one.error is not None
            for alert in self._failed(one.error, one.features, place(index))
        ]

    def misled(self, alert: Alert, at: Place, rows: Behind, readings: Readings) -> list[Alert]:
        """A detector has found a drift in the errors, with windows that lie so many of them back; what is to be told.
        Features that have drifted, and have not been found as their references since, are named beside it.
        """
        members = [member for incident, _ in self._of(FeatureEnding) for member in incident.members.values()]
        drifting = [member.evidence for member in members if not member.calm]
        if self._is_past(alert, at.position):
            return []
        return self._take(alert, at.position, rows, at, drifting, readings)

    def swapped(self) -> None:
        """Another champion serves: its errors are told from those before."""
        self._errors.clear()
        for _, ending in self._of(ErrorEnding):
            ending.start()

    # records

    @property
    def open(self) -> tuple[Incident, ...]:
        """Those that are not over."""
        return tuple(self._open)

    def recorded(self, rejected: bool, at: tuple[int, float]) -> list[Alert]:
        """Take a record, which was rejected or not, with its offset and time; what is to be told after it."""
        return self._failed(float(rejected), {}, at)

    # all

    def _failed(self, error: float, features: Features, at: tuple[int, float]) -> list[Alert]:
        """Show an error, of an event with these features, to the drifts of errors that it concerns."""
        alerts: list[Alert] = []
        for incident, ending in self._of(ErrorEnding):
            if concerns(incident.alert.segment, features) and ending.add(error):
                alerts += self._look_at(incident, ending.verdict(), Place(0, *at))
        return alerts

    def _of(self, kind: type[E]) -> list[tuple[Incident, E]]:
        return [(one, one.ending) for one in self._open if isinstance(one.ending, kind)]

    def _take(
        self, alert: Alert, position: int, rows: Behind, at: Place, beside: list[Contributor], readings: Readings
    ) -> list[Alert]:
        """Let an incident have this drift, or open one with it. `beside` are known to drift as well."""
        newest = self._open[::-1]
        incident = next((one for one in newest if one.has(alert)), None) or next(
            (one for one in newest if one.meets(alert, position, rows)), None
        )
        if incident is None:
            return self._begin(alert, position, rows, at, [*beside, *notable(readings())])
        incident.ending.again()
        member = incident.members.get(_subject(alert))
        if member is None:
            incident.members[_subject(alert)] = _member(alert, self._levels(alert))
            return []
        member.again(contributor(alert), self._now(alert))
        if not incident.ending.certain(position):
            member.widen()
        if incident.since is None or not member.has_moved_on or not self._may_tell(alert, at):
            return []
        member.tell()
        named = _clearest(contributor(alert), [*beside, *notable(readings())])
        told = structs.replace(alert, state="open", incident=incident.alert.id, since=incident.since)
        return [_at(at, structs.replace(told, contributors=named))]

    def _is_past(self, alert: Alert, position: int) -> bool:
        """Whether a drift of errors is the last one, found late: it began before that was told, and errors are as they
        were when it was over.
        """
        last, now = self._last, self._errors.newest(FEWEST_ERRORS)
        if self._of(ErrorEnding) or last is None or now is None or alert.segment is not None or alert.change is None:
            return False
        usual, drifted, end = last.first.usual.value, last.first.drifted.value, last.first.now.value
        if usual is None or drifted is None or end is None or position - alert.change.n > last.position:
            return False
        return abs(now.mean - end) <= abs(drifted - usual) / 2

    def _begin(self, alert: Alert, position: int, rows: Behind, at: Place, beside: list[Contributor]) -> list[Alert]:
        named = _clearest(contributor(alert), beside)
        alert = structs.replace(alert, state="open", incident=alert.id, contributors=named)
        errors = self._errors.newest(_tells(alert))
        incident = Incident(alert, position, self._levels(alert), errors, rows.current)
        self._open.append(incident)
        return self._look_at(incident, None, at)

    def _look_at(self, incident: Incident, ended: AlertState | None, at: Place) -> list[Alert]:
        """Tell of an incident that was held back if it may be told, and of one that is over."""
        if ended is not None:
            self._open.remove(incident)
            if incident.has_all_errors:
                self._last = incident
            return [] if incident.since is None else [_at(at, _over(incident, incident.since, ended, at.ts))]
        if incident.since is None and self._may_tell(incident.alert, at):
            incident.since = at.ts
            return [_at(at, incident.alert)]
        return []

    def _may_tell(self, alert: Alert, at: Place) -> bool:
        return self._cooldown.allows((alert.kind, *(part or "" for part in _subject(alert))), at.ts)

    def _levels(self, alert: Alert) -> tuple[Level, Level]:
        """What was usual before a drift, and what is now."""
        usual, now = levels(alert)
        if alert.segment is not None and alert.segment.endswith(f"={OTHER}"):
            return Level(), Level()  # nobody else knows which values are in it
        if not _of_errors(alert) or alert.segment is not None or alert.reference is None:
            return usual, now
        before, since = self._errors.newest(alert.reference.n, _tells(alert)), self._now(alert)
        if before is None or since.value is None or since.value <= before.mean:
            return usual, now
        return Level(before.mean), since

    def _now(self, alert: Alert) -> Level:
        """What is after a change; of errors as they are, whatever a detector makes of them."""
        whole = _of_errors(alert) and alert.segment is None
        since = self._errors.newest(_tells(alert)) if whole else None
        return levels(alert)[1] if since is None else Level(since.mean)


def _over(incident: Incident, since: float, state: AlertState, ts: float) -> Alert:
    """The alert that a drift is over."""
    alert, first = incident.alert, incident.first
    begin = first.drifted if state == "recovered" else first.usual
    before, after = (begin.value, first.now.value) if begin.spread is first.now.spread else (None, None)
    return structs.replace(
        alert,
        **_NO_EVIDENCE,
        id=id_of(alert.id, state),
        severity="info",
        state=state,
        direction=_way(alert, before, after),
        before=before,
        after=after,
        contributors=incident.contributors(),
        since=since,
        duration=ts - since,
        action="none",
    )


def _way(alert: Alert, before: float | None, after: float | None) -> str | None:
    """Which way it went from `before` to `after`, in the words of the alert of the drift."""
    if before is None or after is None or before == after:
        return None
    ways = ("narrower", "wider") if alert.direction in ("wider", "narrower") else ("down", "up")
    return (("better", "worse") if _of_errors(alert) else ways)[after > before]


def _clearest(first: Contributor, others: Iterable[Contributor]) -> tuple[Contributor, ...]:
    """The first, and the others with the largest statistics over their thresholds; each feature of a segment once."""
    ranked = sorted(others, key=lambda one: -(one.over or 0.0))
    named = {_name(first): first}
    for one in ranked:
        named.setdefault(_name(one), one)
    return tuple(named.values())[:MOST]


def _name(one: Contributor) -> Subject:
    """What it is named for; a detector of the errors, or of all features together, for itself."""
    return one.feature or one.detector, one.segment


def _subject(alert: Alert) -> Subject:
    return alert.feature, alert.segment


def _took(alert: Alert) -> int:
    """Values from the change to the alarm, as far as is known."""
    return _window(alert) if alert.change is None else alert.change.n


def _tells(alert: Alert) -> int:
    """Newest errors whose mean is the level after a change: those since then or, if these are too few to tell, all in
    the window that gave the alarm.
    """
    took = _took(alert)
    return took if took >= FEWEST_ERRORS else max(took, _window(alert))


def _window(alert: Alert) -> int:
    """Values in the window that gave the alarm."""
    return 0 if alert.current is None else alert.current.n


def _of_errors(alert: Alert) -> bool:
    return alert.kind == "concept_drift"


def _of_records(alert: Alert) -> bool:
    return alert.kind == "data_quality"


def _member(alert: Alert, levels: tuple[Level, Level]) -> Member:
    """What an alert is about, with the levels before and after."""
    most = _TIMES_USUAL * alert.before if _of_records(alert) and alert.before is not None else math.inf
    return Member(contributor(alert), *levels, only_too_much=_of_errors(alert) or _of_records(alert), most=most)


def _at(place: Place, alert: Alert) -> Alert:
    return structs.replace(alert, offset=place.offset, ts=place.ts)
