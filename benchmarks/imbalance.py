"""Rare fraud: a million payments, one in 5,000 of them fraud, chargebacks days to weeks late, tactics that change.

python benchmarks/imbalance.py
python benchmarks/imbalance.py --events 100000 --imbalance 500 --per-day 500

All contenders take the same stream (`stream/simulate/payments.py`) side by side, in spans of ten minutes: first each
predicts the events of a span, then it learns from the labels that have come in it. Ours run in the engine with late
labels joined as in the service; River's pipelines are given each label with its event's features. A chargeback is never
known before three days, a quarter of them never come, and the fraudsters change amounts, merchants, countries and
devices on days 45, 90 and 150.

What was predicted is held against the labels that came. PR-AUC is the area under the precision-recall curve. Nobody
knows anything in the first days, when all payments have one and the same output: what is called warm, recall and cost
leave out the first tenth of the events. Costs are those of deciding by the published probability at the Bayes threshold
of a cost matrix in which a missed fraud costs as much as `--miss` false alarms, per 10,000 payments.
"""

from __future__ import annotations

import argparse
import os
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table
from river import compose, imblearn, linear_model, preprocessing

from learners.base import ImbalanceConfig, LearnerConfig
from learners.linear import LogisticConfig
from learners.prototypes import PrototypesConfig
from stream.config.detectors import DetectorsConfig
from stream.config.load import load
from stream.core.engine import Engine
from stream.core.outcomes import average_precision
from stream.records import Event, Label, Prediction, Span
from stream.simulate.payments import START, Payments

CONFIG = load(Path(__file__).parents[1] / "configs" / "fraud.yaml", {})
SPAN = 600.0
NOW = 4e9
WARM = 0.1
FEW = 0.01
"""Share of the payments that somebody has the time to look at."""

Floats: TypeAlias = npt.NDArray[np.float64]


class Contender(ABC):
    """Predicts the events of a span, then learns from its labels."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = 0.0
        self.outputs = array("d")

    def take(self, span: Span) -> None:
        """Work off a span, and keep what was predicted."""
        started = time.process_time()
        self.outputs.extend(self._take(span))
        self.seconds += time.process_time() - started

    @abstractmethod
    def _take(self, span: Span) -> Sequence[float]:
        """P(fraud) of each event of the span, from before its labels are learned."""


class Never(Contender):
    """Takes no payment for fraud: mere chance, and the cost of doing nothing."""

    def _take(self, span: Span) -> Sequence[float]:
        return [0.0] * len(span.events)


class Ours(Contender):
    """A recipe in the engine, as the service runs it. Detectors and challengers are not what is measured."""

    def __init__(self, name: str, learner: LearnerConfig) -> None:
        super().__init__(name)
        parts: dict[str, Any] = {
            "model": CONFIG.model.model_copy(update={"learner": learner}),
            "labels": CONFIG.labels.model_copy(update={"max_pending": 1_000_000}),
            "adaptation": CONFIG.adaptation.model_copy(update={"policy": "keep_learning"}),
            "detectors": DetectorsConfig(),
            "alarms": None,
        }
        self._engine = Engine(CONFIG.model_copy(update=parts), 0)

    def _take(self, span: Span) -> Sequence[float]:
        effects = self._engine.process(span, NOW)
        return [e.probabilities["true"] for e in effects if isinstance(e, Prediction) and e.probabilities is not None]


class Rivers(Contender):
    """A pipeline of River's, with the join of labels and events done for it."""

    def __init__(self, name: str, classifier: Any) -> None:
        super().__init__(name)
        numbers = compose.Select(*CONFIG.events.numeric) | preprocessing.StandardScaler()
        texts = compose.Select(*CONFIG.events.categorical) | preprocessing.OneHotEncoder()
        self._model: Any = (numbers + texts) | classifier
        self._rows: dict[str, Any] = {}

    def _take(self, span: Span) -> Sequence[float]:
        self._rows |= {event.id: event.features for event in span.events}
        said = [self._model.predict_proba_one(event.features).get(True, 0.0) for event in span.events]
        for label in span.labels:
            self._model.learn_one(self._rows.pop(label.id), label.label)
        return said


def contenders() -> list[Contender]:
    """The plain pipeline first: the others are held against it."""
    logistic, few = linear_model.LogisticRegression, {False: 0.99, True: 0.01}
    balance = ImbalanceConfig(under_sample=0.1, class_weights={"true": 20.0})
    return [
        Rivers("River: logistic", logistic()),
        Rivers("River: RandomUnderSampler, 1 in 100", imblearn.RandomUnderSampler(logistic(), few, seed=1)),
        Rivers("River: RandomOverSampler, 1 in 100", imblearn.RandomOverSampler(logistic(), few, seed=1)),
        Ours("logistic", LogisticConfig()),
        Ours("logistic, under_sample 0.1, weight 20", LogisticConfig(imbalance=balance)),
        Ours("prototypes", PrototypesConfig()),
        Never("never"),
    ]


def spans(source: Payments, events: int) -> Iterator[Span]:
    """The stream in spans of ten minutes, events first."""
    paths = {name: (feature.path or name).split(".") for name, feature in CONFIG.events.features.items()}
    current, end = Span(), START + SPAN
    for number, record in enumerate(source.records(events=events)):
        if record.timestamp >= end:
            yield current
            current, end = Span([], [], [], NOW), record.timestamp - record.timestamp % SPAN + SPAN
        value, at = record.value, record.timestamp
        if record.topic == "labels":
            current.labels.append(Label(value["payment"], value["outcome"] == CONFIG.model.positive, at, number))
        else:
            features = {name: _at(value, path) for name, path in paths.items()}
            current.events.append(Event(value["payment"], at, at, number, features, record.key))
    yield current


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value[part]
    return value


class Truth(NamedTuple):
    """The events whose label came: their numbers, the labels, and the times of all events."""

    known: npt.NDArray[np.int64]
    fraud: npt.NDArray[np.bool_]
    times: Floats

    def within(self, first: float, last: float) -> Truth:
        """Those of a stretch of time."""
        inside = (self.times[self.known] >= first) & (self.times[self.known] < last)
        return Truth(self.known[inside], self.fraud[inside], self.times)

    def precision(self, one: Contender) -> float:
        """The area under the precision-recall curve."""
        return average_precision(np.array(one.outputs)[self.known], self.fraud) or 0.0

    def recall(self, one: Contender, share: float) -> float:
        """Share of fraud among that share of the payments that looks most like it."""
        outputs = np.array(one.outputs)[self.known]
        bar = np.sort(outputs)[-max(1, int(share * len(outputs)))]
        above, at = outputs > bar, outputs == bar
        room = (share * len(outputs) - above.sum()) / at.sum()  # of equal outputs, as many as there is time for
        return float((self.fraud[above].sum() + room * self.fraud[at].sum()) / self.fraud.sum())

    def cost(self, one: Contender, miss: float) -> float:
        """Cost per 10,000 payments of deciding at the Bayes threshold, in false alarms."""
        said = np.array(one.outputs)[self.known] >= 1.0 / (1.0 + miss)
        return float(1e4 * ((said & ~self.fraud).sum() + miss * (self.fraud & ~said).sum()) / len(said))


def run(source: Payments, events: int, console: Console) -> tuple[list[Contender], Truth]:
    """All contenders over the stream."""
    rivals = contenders()
    numbers: dict[str, int] = {}
    times, known, fraud = array("d"), array("q"), array("b")
    for span in track(spans(source, events), description="payments", console=console, total=None):
        for event in span.events:
            numbers[event.id] = len(times)
            times.append(event.timestamp)
        for label in span.labels:
            known.append(numbers.pop(label.id))
            fraud.append(bool(label.label))
        for one in rivals:
            one.take(span)
    return rivals, Truth(np.array(known), np.array(fraud, dtype=bool), np.array(times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Rare fraud: PR-AUC of contenders on one stream.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--imbalance", type=int, default=5000, help="payments per fraud")
    parser.add_argument("--per-day", type=int, default=5000, help="payments a day, on average")
    parser.add_argument("--miss", type=float, default=100.0, help="cost of a missed fraud, in false alarms")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 160)
    source = Payments(asked.seed, asked.imbalance, asked.per_day)
    rivals, truth = run(source, asked.events, console)
    first, last = float(truth.times[0]), float(truth.times[-1]) + 1.0
    warm = truth.within(float(truth.times[int(WARM * asked.events)]), last)

    heads = [
        "",
        "PR-AUC",
        "times plain",
        "PR-AUC, warm",
        "times plain",
        f"recall at {FEW:.0%} alarms",
        "cost",
        "CPU, us",
    ]
    title = f"{asked.events:,} payments, {truth.fraud.sum()} chargebacks known, seed {asked.seed}"
    table = Table(*heads, title=title)
    for one in rivals:
        areas = truth.precision(one), warm.precision(one)
        ratios = areas[0] / truth.precision(rivals[0]), areas[1] / warm.precision(rivals[0])
        cells = [f"{areas[0]:.3f}", f"{ratios[0]:.2f}", f"{areas[1]:.3f}", f"{ratios[1]:.2f}"]
        cells += [f"{warm.recall(one, FEW):.2f}", f"{warm.cost(one, asked.miss):.1f}"]
        table.add_row(one.name, *cells, f"{1e6 * one.seconds / asked.events:.0f}")
    console.print(table)

    changes = [change.at for change in source.changes if change.kind == "concept" and change.at < last]
    bounds = [first, *changes, last]
    days = [f"from day {(at - START) / 86400:.0f}" for at in bounds[:-1]]
    tactics = Table("PR-AUC by tactic", *days, title="Each tactic: from its first day to the last before the next")
    for one in rivals:
        parts = [truth.within(a, b).precision(one) for a, b in pairwise(bounds)]
        tactics.add_row(one.name, *(f"{part:.3f}" for part in parts))
    console.print(tactics)


if __name__ == "__main__":
    main()
