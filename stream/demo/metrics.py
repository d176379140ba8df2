"""What the service says of itself on /metrics, read as any Prometheus would."""

from __future__ import annotations

import http.client
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeAlias, TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

Scores: TypeAlias = Mapping[str, Mapping[str, float]]

K = TypeVar("K")


@dataclass(frozen=True)
class Metrics:
    """One scrape, summed over partitions; scores are means over them.

    `records` is by (topic, outcome), `lag` by topic, `scores` by source and metric. `latency` counts predictions made
    within so many seconds, by seconds.
    """

    records: Mapping[tuple[str, str], int] = field(default_factory=dict)
    lag: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    held: int = 0
    expired: int = 0
    refused: int = 0
    version: int = 0
    recipe: str = ""
    model_bytes: int = 0
    scores: Scores = field(default_factory=dict)
    latency: Mapping[float, int] = field(default_factory=dict)

    def ended(self, topic: str) -> int:
        """Records of a topic that have come to an end, or are held."""
        return sum(n for (name, _), n in self.records.items() if name == topic) + (
            self.held if topic == "labels" else 0
        )

    def within(self, share: float, since: Metrics) -> float | None:
        """The time in seconds within which this share of the predictions made since another scrape was made, rounded
        up to a bucket of the histogram; None when there was none.
        """
        counts = {bound: n - since.latency.get(bound, 0) for bound, n in sorted(self.latency.items())}
        total = max(counts.values(), default=0)
        return next((bound for bound, n in counts.items() if n >= share * total), None) if total else None


def scrape(port: int, timeout: float = 2.0) -> Metrics | None:
    """Ask the service on this port of loopback; None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
        body = connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return parse(body.decode())


def parse(text: str) -> Metrics:
    """Metrics from the text format of Prometheus."""
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            by_name[sample.name].append(sample)

    def total(name: str) -> int:
        return int(sum(sample.value for sample in by_name[name]))

    info = next(iter(by_name["driftline_model_info"]), None)
    records = _sums(by_name["driftline_records_total"], lambda labels: (labels["topic"], labels["outcome"]))
    return Metrics(
        records=records,
        lag=_sums(by_name["driftline_lag_records"], lambda labels: labels["topic"]),
        pending=total("driftline_pending_labels"),
        held=total("driftline_held_labels"),
        expired=total("driftline_predictions_expired_total"),
        refused=total("driftline_models_refused_total"),
        version=int(info.labels["version"]) if info else 0,
        recipe=info.labels["recipe"] if info else "",
        model_bytes=total("driftline_model_bytes"),
        scores=_scores(by_name["driftline_score"]),
        latency={float(s.labels["le"]): int(s.value) for s in by_name["driftline_prediction_latency_seconds_bucket"]},
    )


def _sums(samples: Iterable[Sample], key: Callable[[Mapping[str, str]], K]) -> dict[K, int]:
    sums: dict[K, int] = defaultdict(int)
    for sample in samples:
        sums[key(sample.labels)] += int(sample.value)
    return dict(sums)


def _scores(samples: Iterable[Sample]) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        values[sample.labels["source"]][sample.labels["metric"]].append(sample.value)
    return {source: {name: fmean(found) for name, found in metrics.items()} for source, metrics in values.items()}
