"""Alerts as people follow them up: all that was said of one drift is one entry, which is open, recovering or closed."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from stream.records import Alert

MOST: Final = 2000
"""Incidents that are kept."""
LATER: Final = 5
"""Alerts kept of how a drift went on, the newest of them."""

Stage: TypeAlias = Literal["open", "recovering", "closed"]
"""Of an incident: it is there; nothing that took part in it is seen drifting any more, but it was not yet called over;
it is over. What happens once, such as a swap, is closed from the start.
"""

Readings: TypeAlias = Mapping[tuple[str, str | None], str]
"""The newest state (`warmup`, `stable`, `warning`, `drift`) by detector and feature, None for errors."""

_CALM: Final = ("warmup", "stable")


class Told(NamedTuple):
    """An alert, and when it was told by the wall clock, in seconds since the epoch."""

    alert: Alert
    at: float


class Incident:
    """All alerts of one drift that are known. `first` is the one that began it, or the oldest that is still kept."""

    def __init__(self, told: Told) -> None:
        self.id = id_of(told.alert)
        self.first = told
        self.later: deque[Told] = deque(maxlen=LATER)
        self.end: Told | None = None
        self.known = {told.alert.id}
        if told.alert.over:
            self.end = told

    def add(self, told: Told) -> bool:
        """Take another alert of it, in whatever order they come; whether it says anything new."""
        alert = told.alert
        if alert.id in self.known:
            return False
        self.known.add(alert.id)
        if alert.over:
            self.end = told
        elif alert.id == self.id:  # the first, which came after others of it
            if self.first is not self.end:
                self.later.appendleft(self.first)
            self.first = told
        else:
            self.later.append(told)
        return True

    @property
    def newest(self) -> Alert:
        """The alert that says how far it has gone."""
        return self.later[-1].alert if self.later else self.first.alert

    @property
    def lasts(self) -> bool:
        """Whether it is a drift that is not over; a swap or a rollback has happened, and that is all."""
        return self.end is None and self.first.alert.state is not None

    def stage(self, readings: Readings) -> Stage:
        """Where it stands, as its detectors see it now."""
        if not self.lasts:
            return "closed"
        named = [(one.detector, one.feature) for one in self.first.alert.contributors]
        seen = [readings[one] for one in named if one in readings]
        return "recovering" if seen and all(state in _CALM for state in seen) else "open"

    def names(self, feature: str) -> bool:
        """Whether a feature takes part in it."""
        alert = self.first.alert
        return feature == alert.feature or any(one.feature == feature for one in alert.contributors)


class Incidents:
    """The newest incidents. Beyond `most` those that are over go first: they do not push out what is open."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._all: OrderedDict[str, Incident] = OrderedDict()
        self._alerts: dict[str, str] = {}  # ids of incidents by those of their alerts
        self._swaps: dict[str, Alert] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Incident]:
        """The newest first, by when they were told."""
        return iter(sorted(self._all.values(), key=place, reverse=True))

    def add(self, told: Told) -> Incident | None:
        """Take an alert; the incident that it has changed, None if it was known."""
        id_ = id_of(told.alert)
        incident = self._all.get(id_)
        if incident is None:
            incident = self._all[id_] = Incident(told)
            if told.alert.kind in ("model_swap", "rollback"):
                self._swaps[id_] = told.alert
        elif not incident.add(told):
            return None
        self._alerts[told.alert.id] = id_
        if len(self._all) > self._most:
            self._forget(self._least_wanted(id_))
        return incident if id_ in self._all else None

    def get(self, id_: str) -> Incident | None:
        """The incident that an alert of this id belongs to."""
        return self._all.get(self._alerts.get(id_, id_))

    def swap_after(self, incident: Incident) -> Alert | None:
        """The first change of the champion in the task of a drift of its errors, from when that was told until it was
        over.
        """
        alert, end = incident.first.alert, incident.end
        if alert.kind != "concept_drift":
            return None
        until = float("inf") if end is None else end.alert.ts
        swaps = [
            one for one in self._swaps.values() if one.partition == alert.partition and alert.ts <= one.ts <= until
        ]
        return min(swaps, key=lambda swap: swap.ts, default=None)

    def _least_wanted(self, but: str) -> str:
        others = [one for one in self._all.values() if one.id != but]
        over = (one for one in others if not one.lasts)
        return min(over, key=place, default=min(others, key=place)).id

    def _forget(self, id_: str) -> None:
        for alert in self._all.pop(id_).known:
            self._alerts.pop(alert, None)
        self._swaps.pop(id_, None)


def id_of(alert: Alert) -> str:
    """The id of the incident that an alert belongs to."""
    return alert.incident or alert.id


def place(incident: Incident) -> tuple[float, str]:
    """Where an incident stands among others: when it was told, and its id among those of one moment."""
    return incident.first.at, incident.id


def alive(incidents: Iterable[Incident]) -> int:
    """How many are not over."""
    return sum(one.lasts for one in incidents)
