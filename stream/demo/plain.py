"""The picture of a run as plain lines, for pipes and logs."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

from stream.demo.picture import Picture
from stream.demo.view import CHAMPION, METRICS
from stream.readable import alert_line, moment

_INTERVAL = 5.0
_LOUD = frozenset({"concept_drift", "model_swap", "rollback"})


class Lines:
    """One line every few seconds, and one for each swap and each concept drift; data drift is many and is counted."""

    def __init__(self, picture: Picture, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._picture = picture
        self._console = console
        self._clock = clock
        self._printed_at = clock()
        self._alerts = 0

    def show(self) -> None:
        """Print what is due."""
        fresh, self._alerts = self._picture.alerts_seen - self._alerts, self._picture.alerts_seen
        if fresh:
            for alert in list(self._picture.alerts)[-fresh:]:
                if alert.kind in _LOUD:
                    self._console.print(alert_line(alert))
        if self._clock() - self._printed_at >= _INTERVAL:
            self._printed_at = self._clock()
            self._console.print(line(self._picture))


def line(picture: Picture) -> str:
    """How far a run is, on one line."""
    if picture.position is None:
        return "waiting for the first prediction"
    # With no event left to take, a rate of 0 would read as if the service stood still.
    rate = f", {picture.rates.predictions:,.0f}/s" if picture.untaken("events") or picture.rates.predictions else ""
    parts = [
        f"{moment(picture.position)}  {picture.progress:6.1%}",
        f"{picture.predictions:,} predictions{rate}",
        f"{picture.labels:,} labels",
        f"lag {sum(picture.metrics.lag.values()):,}",
    ]
    scores = picture.metrics.scores
    for metric, name in METRICS.items():
        if (value := scores.get(CHAMPION, {}).get(metric)) is not None:
            parts.append(f"{name} {value:.3f}")
    drifts = sum(n for kind, n in picture.kinds.items() if kind.endswith("drift"))
    parts += [f"version {picture.metrics.version}", f"{drifts} drift alerts"]
    return "  ".join(parts)
