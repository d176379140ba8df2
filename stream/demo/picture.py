"""What an outsider knows of a run so far: counts, rates, scores, alerts and swaps, in all and by month."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple

from stream.demo.metrics import Metrics, Scores
from stream.readable import SWAPS
from stream.records import Alert

NEW_YORK: Final = timezone(timedelta(hours=-5))
"""New York's winter time: months and days are those of the timetable."""

_RATE_SECONDS = 4.0
_POINTS = 400


class Stretch(NamedTuple):
    """The part of the stream that is played, in seconds since the epoch; `events` when it ends after so many."""

    begin: float
    end: float
    events: int | None = None


class Rates(NamedTuple):
    """Records per second over the last seconds."""

    events: float = 0.0
    predictions: float = 0.0
    labels: float = 0.0


class _Sample(NamedTuple):
    at: float
    events: int
    predictions: int
    labels: int
    metrics: Metrics


@dataclass
class Month:
    """One month of the stream. Score sums are weighted by the labels that were joined since the look before."""

    flights: int = 0
    labels: int = 0
    late: int = 0
    alerts: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    swaps: int = 0
    weight: int = 0
    sums: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def score(self, source: str, metric: str) -> float | None:
        """The mean of a windowed score over the month; None when there is none."""
        total = self.sums.get((source, metric))
        return None if total is None or not self.weight else total / self.weight


class Picture:
    """Filled by a `Watch`, read by the view and the summary. `clock` gives seconds that never go back."""

    def __init__(self, stretch: Stretch, clock: Callable[[], float] = time.monotonic) -> None:
        self.stretch = stretch
        self.metrics = Metrics()
        self.reached = False  # whether the service has answered yet
        self.events = 0
        self.labels = 0
        self.predictions = 0
        self.position: float | None = None
        self.serving: dict[int, int] = {}
        self.alerts: deque[Alert] = deque(maxlen=100)
        self.swaps: list[Alert] = []
        self.challenged: Alert | None = None  # the newest drift on which a challenger was started
        self.months: dict[str, Month] = {}
        self.history: deque[Scores] = deque(maxlen=2 * _POINTS)
        self._alert_ids: set[str] = set()
        self._swapped: dict[str, set[int]] = {}
        self._samples: deque[_Sample] = deque()
        self._next_point = stretch.begin
        self._scored = 0
        self._clock = clock
        self._began = clock()
        self._ended: float | None = None

    # taking in

    def predicted(self, ts: float, version: int, partition: int) -> None:
        """A prediction was read from its topic."""
        self.predictions += 1
        self.serving[partition] = version
        if self.position is None or ts > self.position:
            self.position = ts
        self._month(ts).flights += 1

    def labelled(self, ts: float, late: bool) -> None:
        """A label was read from its topic."""
        month = self._month(ts)
        month.labels += 1
        month.late += late

    def alerted(self, alert: Alert) -> None:
        """An alert was read from its topic. The same one twice, as after a restart, counts once; that a drift is over
        is shown and not counted.
        """
        if alert.id in self._alert_ids:
            return
        self._alert_ids.add(alert.id)
        self.alerts.append(alert)
        if alert.over:
            return
        month = self._month(alert.ts)
        month.alerts[alert.kind] += 1
        if alert.kind == "data_drift" and alert.feature is not None:
            month.features[alert.feature] += 1
        if alert.action == "challenger_started":
            self.challenged = alert
        if alert.kind in SWAPS and self._is_new_swap(alert):
            self.swaps.append(alert)
            month.swaps += 1

    def looked(self, metrics: Metrics | None, events: int, labels: int) -> None:
        """The service was asked for its metrics (None: no answer), and the broker for the size of the topics."""
        self.events, self.labels = events, labels
        now = self._clock()
        self._samples.append(_Sample(now, events, self.predictions, labels, metrics or self.metrics))
        while now - self._samples[0].at > _RATE_SECONDS and len(self._samples) > 2:
            self._samples.popleft()
        if metrics is None:
            return
        self.reached = True
        self.metrics = metrics
        if metrics.scores and self.position is not None:
            self._note_scores(metrics, self.position)

    def end(self) -> None:
        """The run is over: its time stands still."""
        self._ended = self._clock()

    # telling

    @property
    def alerts_seen(self) -> int:
        """How many alerts there were; `alerts` keeps the newest of them."""
        return len(self._alert_ids)

    @property
    def read(self) -> int:
        """Predictions that had been read when the broker was last asked for the sizes of the other topics."""
        return self._samples[-1].predictions if self._samples else 0

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return (self._ended if self._ended is not None else self._clock()) - self._began

    @property
    def progress(self) -> float:
        """The share of the stretch that is predicted, 0 to 1."""
        begin, end, events = self.stretch
        if events is not None:
            return min(1.0, self.predictions / events)
        return 0.0 if self.position is None else min(1.0, max(0.0, (self.position - begin) / (end - begin)))

    @property
    def rates(self) -> Rates:
        """Records per second over the last seconds."""
        if len(self._samples) < 2:
            return Rates()
        first, last = self._samples[0], self._samples[-1]
        seconds = max(last.at - first.at, 1e-9)
        return Rates(
            (last.events - first.events) / seconds,
            (last.predictions - first.predictions) / seconds,
            (last.labels - first.labels) / seconds,
        )

    @property
    def latency(self) -> float | None:
        """Seconds within which 99% of the last seconds' predictions were made; None when there were none."""
        return self.metrics.within(0.99, self._samples[0].metrics) if self._samples else None

    @property
    def kinds(self) -> Counter[str]:
        """Alerts so far by kind; a swap counts once, however many partitions tell of it."""
        counts: Counter[str] = Counter()
        for month in self.months.values():
            counts.update({kind: n for kind, n in month.alerts.items() if kind not in SWAPS})
        counts.update(alert.kind for alert in self.swaps)
        return counts

    def untaken(self, topic: str) -> int:
        """Records of `events` or `labels` on the broker that the service has not come to."""
        return max(0, (self.events if topic == "events" else self.labels) - self.metrics.ended(topic))

    @property
    def complete(self) -> bool:
        """Whether all that is on the topics is accounted for, and every prediction has been read."""
        counted = self.metrics.records.get(("events", "predicted"), 0)
        return not self.untaken("events") and not self.untaken("labels") and self.predictions >= counted

    def average(self, source: str, metric: str) -> float | None:
        """The mean of a windowed score over the run, weighted by labels; None when there is none."""
        weight = sum(month.weight for month in self.months.values() if (source, metric) in month.sums)
        if not weight:
            return None
        return sum(month.sums.get((source, metric), 0.0) for month in self.months.values()) / weight

    # inside

    def _month(self, ts: float) -> Month:
        name = month_of(int(min(ts, self.stretch.end - 1) // 3600))
        month = self.months.get(name)
        if month is None:
            month = self.months[name] = Month()
        return month

    def _is_new_swap(self, alert: Alert) -> bool:
        """Each partition tells of a swap; the first is the news, and so is one that a partition tells again."""
        what = alert.detail or str(alert.model_version)
        told = self._swapped.get(what)
        if told is not None and alert.partition not in told:
            told.add(alert.partition)
            return False
        self._swapped[what] = {alert.partition}
        return True

    def _note_scores(self, metrics: Metrics, position: float) -> None:
        joined = metrics.records.get(("labels", "joined"), 0)
        month = self._month(position)
        fresh, self._scored = joined - self._scored, joined
        month.weight += fresh
        for source, scores in metrics.scores.items():
            for metric, value in scores.items():
                month.sums[source, metric] += fresh * value
        if position >= self._next_point:
            self.history.append(metrics.scores)
            self._next_point = position + (self.stretch.end - self.stretch.begin) / _POINTS


@lru_cache(maxsize=64)
def month_of(hour: int) -> str:
    """`2013-06` of an hour since the epoch, in New York."""
    return f"{datetime.fromtimestamp(hour * 3600, UTC).astimezone(NEW_YORK):%Y-%m}"
