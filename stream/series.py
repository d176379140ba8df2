"""Series of metrics in plain tables, which become Prometheus families when they are scraped.

What prometheus-client's own metrics lack and a worker needs: many values into a histogram at once, all series of a
partition dropped at once, and label values that come from outside kept to a bounded number.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

Labels: TypeAlias = tuple[str, ...]

MAX_COUNTERS: Final = 50
"""Most series of one counter; label values beyond it are counted as `other`."""

_MANY = 64  # values from which numpy beats a loop


class Metadata(NamedTuple):
    """What a metric is, whether or not it has a series yet."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: Labels


class Values:
    """The series of one counter or gauge, by label values. Guarded by the lock of its `Tables`."""

    def __init__(
        self, family: type[CounterMetricFamily | GaugeMetricFamily], name: str, text: str, labels: Labels
    ) -> None:
        self.labels = labels
        self._family = family
        self._name = name
        self._text = text
        self._values: dict[Labels, float] = {}

    @property
    def metadata(self) -> Metadata:
        """What it is."""
        return Metadata(
            self._name, "counter" if self._family is CounterMetricFamily else "gauge", self._text, self.labels
        )

    def add(self, labels: Labels, n: float) -> None:
        """Count `n` more."""
        if labels not in self._values and len(self._values) >= MAX_COUNTERS:
            labels = ("other",) * len(labels)
        self._values[labels] = self._values.get(labels, 0) + n

    def set(self, labels: Labels, value: float) -> None:
        """It is `value` now."""
        self._values[labels] = value

    def drop(self, label: str, value: str) -> None:
        """Remove the series whose `label` has `value`; none when the metric has no such label."""
        if label in self.labels:
            index = self.labels.index(label)
            self._values = {labels: kept for labels, kept in self._values.items() if labels[index] != value}

    def family(self) -> Metric:
        """What Prometheus is given."""
        family = self._family(self._name, self._text, labels=self.labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return family


class Histogram:
    """The series of one histogram, by label values. Guarded by the lock of its `Tables`."""

    def __init__(self, name: str, text: str, labels: Labels, bounds: Sequence[float]) -> None:
        self._labels = labels
        self._name = name
        self._text = text
        self._bounds = tuple(bounds)
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    @property
    def metadata(self) -> Metadata:
        """What it is."""
        return Metadata(self._name, "histogram", self._text, self._labels)

    def observe(self, labels: Labels, values: Sequence[float]) -> None:
        """Put all `values` into their buckets: a value equal to a bound belongs below it."""
        counts = self._counts.setdefault(labels, [0] * len(self._names))
        if len(values) < _MANY:
            for value in values:
                counts[bisect_left(self._bounds, value)] += 1
        else:
            places = np.searchsorted(self._bounds, np.asarray(values, dtype=float))
            for place, n in enumerate(np.bincount(places).tolist()):
                counts[place] += n
        self._sums[labels] = self._sums.get(labels, 0.0) + sum(values)

    def family(self) -> Metric:
        """What Prometheus is given."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, counts in self._counts.items():
            family.add_metric(labels, list(zip(self._names, accumulate(counts), strict=True)), self._sums[labels])
        return family


class Tables:
    """All metrics of a process, and the lock that guards them. A collector for prometheus-client's registry."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._values: list[Values] = []
        self._histograms: list[Histogram] = []

    def counter(self, name: str, text: str, *labels: str) -> Values:
        """A new counter; `name` ends in `_total`."""
        self._values.append(Values(CounterMetricFamily, name, text, labels))
        return self._values[-1]

    def gauge(self, name: str, text: str, *labels: str) -> Values:
        """A new gauge."""
        self._values.append(Values(GaugeMetricFamily, name, text, labels))
        return self._values[-1]

    def histogram(self, name: str, text: str, *labels: str, bounds: Sequence[float]) -> Histogram:
        """A new histogram with these bucket bounds, in rising order."""
        self._histograms.append(Histogram(name, text, labels, bounds))
        return self._histograms[-1]

    def drop(self, label: str, value: str) -> None:
        """Remove every series of a counter or gauge whose `label` has `value`."""
        for values in self._values:
            values.drop(label, value)

    def catalogue(self) -> list[Metadata]:
        """Every metric there is."""
        return [*(values.metadata for values in self._values), *(h.metadata for h in self._histograms)]

    def collect(self) -> list[Metric]:
        """A consistent picture of all series."""
        with self.lock:
            return [values.family() for values in self._values] + [h.family() for h in self._histograms]
