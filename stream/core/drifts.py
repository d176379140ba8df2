"""What a task tells of drifts: what its detectors find, as alerts of the version that serves when they are told."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from detectors.base import Signal
from stream.core.alerts import AlertMaker
from stream.core.incidents import Place
from stream.core.pending import Joined
from stream.core.scores import Track
from stream.core.state import TaskState
from stream.records import Alert, Event, Label, Rejected


class Drifts:
    """Makes alerts of what detectors find; the incidents of the task say which of them are told, and when. `at` is
    offset and time of the record that showed it.
    """

    def __init__(self, state: TaskState, alerts: AlertMaker) -> None:
        self._state = state
        self._alerts = alerts

    def found(self, kind: str, name: str, signal: Signal, at: tuple[int, float]) -> None:
        """A detector has found a drift of features or of predictions, which is told at the end of its block."""
        events = self._state.events
        self._state.incidents.found(self._drift(kind, name, signal, events, at), events.count, signal.behind)

    def block_ended(self, at: tuple[int, float]) -> list[Alert]:
        """What is to be told after a block of events."""
        state = self._state
        return self._told(state.incidents.block_ended(Place(state.events.count, *at), state.monitors.readings))

    def misled(self, name: str, signal: Signal, at: tuple[int, float], action: str) -> list[Alert]:
        """A detector has found a drift in the champion's errors, which led to an action; what is to be told."""
        state = self._state
        found = self._drift("concept_drift", name, signal, state.labels, at, action)
        place = Place(state.labels.count, *at)
        return self._told(state.incidents.misled(found, place, signal.behind, state.monitors.readings))

    def erred(self, joined: Joined) -> list[Alert]:
        """Look at the champion's errors on these labels for the end of a drift."""
        return self._told(self._state.incidents.erred(joined.waiting, joined.place))

    def recorded(
        self, topic: str, taken: Sequence[Event | Label], rejected: Sequence[Rejected], ahead: float
    ) -> list[Alert]:
        """Tell of a topic that has more records that cannot be used, or as few again as usual, after those of a span.
        Times beyond `ahead` are not believed.
        """
        return self._told(self._state.rejections.observe(topic, taken, rejected, ahead, self._worsened))

    def _worsened(self, name: str, signal: Signal, track: Track, at: tuple[int, float]) -> Alert:
        return self._drift("data_quality", name, signal, track, at)

    def _drift(
        self, kind: str, name: str, signal: Signal, track: Track, at: tuple[int, float], action: str = "none"
    ) -> Alert:
        return self._alerts.drift(kind, name, signal, track, at, self._state.version, action)

    def _told(self, alerts: list[Alert]) -> list[Alert]:
        """Alerts about a drift, some from an earlier version's time, as told now."""
        return [structs.replace(alert, model_version=self._state.version) for alert in alerts]
