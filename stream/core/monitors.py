"""The detectors of a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from detectors.base import Reading, Signal
from detectors.watch import watch_errors, watch_features
from stream.config.budget import divide
from stream.config.model import Config
from stream.core.pending import Waiting
from stream.core.problem import Judge
from stream.profile import Profile
from stream.records import Features


class _Watched(NamedTuple):
    """What watches, the name of its detector in alerts, and the run length of each stream of values it watches."""

    name: str
    watch: Any
    run_length: float | None

    def named(self, signals: Iterable[Signal]) -> list[tuple[str, Signal]]:
        """Its signals, with what is to be said of where they come from."""
        return [(self.name, signal._replace(run_length=self.run_length)) for signal in signals]


class Monitors:
    """Concept detectors on the champion's errors, and data detectors on the features and on the champion's predictions
    of one task, calibrated to their shares of the budget. With a profile, those on features have their references from
    it; without, they learn them.
    """

    def __init__(self, config: Config, profile: Profile | None = None) -> None:
        self._concept: list[_Watched] = []
        self._data: list[_Watched] = []
        self._prediction: list[_Watched] = []
        events, outputs = (config.events.numeric, config.events.categorical), config.model.outputs
        rows = [] if profile is None else profile.rows
        for part in divide(config):
            name, run_length = part.config.called, part.config.run_length
            if part.section == "concept":
                self._concept.append(_Watched(name, watch_errors(part.config), run_length))
            elif part.section == "data":
                watch = watch_features(part.config, *events)
                if watch is not None and profile is not None:
                    watch.preset(rows, profile.times)
                self._data.append(_Watched(name, watch, run_length))
            elif part.section == "prediction":
                self._prediction.append(_Watched(name, watch_features(part.config, *outputs), run_length))
        self._shown = _segmented_by(self._prediction)

    def observe_events(
        self, judge: Judge, outputs: Sequence[Any], rows: Sequence[Features], times: Sequence[float]
    ) -> list[tuple[str, str, Signal]]:
        """Show the features of a span, its times, and the champion's outputs to the detectors on them; signals with the
        kind of alert and the detector's name, in order of the rows.
        """
        found = [("data_drift", *told) for one in self._data for told in one.named(one.watch.observe(rows, times))]
        if self._prediction:
            said = judge.said(outputs)
            if self._shown:  # a prediction's own class stands before a feature of that name
                pairs = zip(said, rows, strict=True)
                said = [{name: features.get(name) for name in self._shown} | row for row, features in pairs]
            found += [
                ("prediction_drift", *told)
                for one in self._prediction
                for told in one.named(one.watch.observe(said, times))
            ]
        return sorted(found, key=lambda told: told[-1].index) if len(found) > 1 else found

    def observe_outputs(
        self, judge: Judge, outputs: Sequence[Any], waiting: Sequence[Waiting], labels: Sequence[Any]
    ) -> list[tuple[str, Signal]]:
        """Show the champion's errors, on events that waited, to the concept detectors; signals with the detector's
        name, in order of the outputs and at positions among them. What waited is told its error, if there is one.
        """
        errors = judge.errors(outputs, labels)
        skipped = len(outputs) - len(errors)
        judged = waiting[skipped:] if skipped else waiting
        for one, error in zip(judged, errors, strict=True):
            one.error = error
        if not self._concept:
            return []
        rows, times = [one.features for one in judged], [one.timestamp for one in judged]
        found = [
            (name, signal._replace(index=skipped + signal.index))
            for one in self._concept
            if (signals := one.watch.observe(errors, rows, times))
            for name, signal in one.named(signals)
        ]
        return sorted(found, key=lambda named: named[1].index) if len(found) > 1 else found

    def forget_champion(self) -> None:
        """Forget the errors and the predictions seen: another champion makes others."""
        for one in (*self._concept, *self._prediction):
            one.watch.reset()

    def readings(self) -> dict[tuple[str, str], Reading]:
        """The newest reading by (detector, feature); the feature of a concept detector is empty. Of segments, that of
        the one that matters most: what is shown of a detector must not grow with the values of a feature.
        """
        return {
            (one.name, what): reading
            for one in (*self._concept, *self._data, *self._prediction)
            for what, reading in one.watch.readings().items()
        }


def _segmented_by(watched: Iterable[_Watched]) -> tuple[str, ...]:
    """The features by whose values these tell segments."""
    return tuple(dict.fromkeys(one.watch.config.segments.by for one in watched if one.watch.config.segments))
