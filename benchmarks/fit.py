"""How much of its loss a model loses on what it has just learned, by recipe, and what looking costs.

    python -m benchmarks.fit     # two minutes

10,000 events with five numbers, of which two decide the label, and one label in five is wrong: so there is something to
learn and much to learn by heart. `gap` and `gain` are what the alerts go by (docs/health.md); `alerts` those that were
raised; the last column is the time that the engine takes, with the looks, over that without them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from stream.core.engine import Engine
from stream.records import Alert, Span
from stream.testing import event, small_config

EVENTS = 10_000
NAMES = ("a", "b", "c", "d", "e")
RECIPES: dict[str, dict[str, Any]] = {
    "logistic": {"kind": "logistic"},
    "logistic, learning rate 1": {"kind": "logistic", "learning_rate": 1.0},
    "hoeffding_tree": {"kind": "hoeffding_tree"},
    "adaptive_random_forest": {"kind": "adaptive_random_forest"},
    "River's nearest neighbour": {
        "kind": "river",
        "pipeline": [
            {"use": "river.preprocessing.StandardScaler"},
            {"use": "river.neighbors.KNNClassifier", "with": {"n_neighbors": 1}},
        ],
    },
    "River's perceptron": {"kind": "river", "pipeline": [{"use": "river.linear_model.Perceptron"}]},
}


def run(learner: Mapping[str, Any], *, looks: bool) -> tuple[Engine, list[Alert], float]:
    """The engine after all events, what it told, and the seconds it took."""
    features = {name: {"type": "number"} for name in NAMES}
    overrides: dict[str, Any] = {"events": {"features": features}, "model": {"learner": dict(learner)}}
    engine = Engine(small_config(overrides if looks else overrides | {"fit": None}), 0)
    rng, alerts = random.Random(1), list[Alert]()
    spans = []
    for start in range(0, EVENTS, 100):
        events = []
        for n in range(start, start + 100):
            row = {name: rng.gauss(0, 1) for name in NAMES}
            truth = row["a"] + row["b"] > 0
            events.append(event(n, row, inline=truth != (rng.random() < 0.2)))
        spans.append(Span(events, [], [], 0.0))
    begun = time.process_time()
    for span in spans:
        alerts += [effect for effect in engine.process(span, 1e9) if isinstance(effect, Alert)]
    return engine, alerts, time.process_time() - begun


def main() -> None:
    """Print the table."""
    console = Console(width=140)
    table = Table("learner", "gap", "loss, champion", "loss, best baseline", "alerts", "time")
    for name, learner in RECIPES.items():
        engine, alerts, with_looks = run(learner, looks=True)
        _, _, without = run(learner, looks=False)
        gap = engine.state.fit.report(engine.state.models)["champion"].gap
        losses = {
            source: scores["mean_loss"] for source, scores in engine.state.scores.report(engine.state.judge).items()
        }
        champion = losses.pop("champion")
        told = ", ".join(f"{one.detector} at {one.offset + 1:,}" for one in alerts) or "-"
        table.add_row(
            name, f"{gap:.0%}", f"{champion:.3f}", f"{min(losses.values()):.3f}", told, f"{with_looks / without:.2f}"
        )
    console.print(table)


if __name__ == "__main__":
    main()
