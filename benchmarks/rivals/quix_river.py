"""Online learning by hand, with Quix Streams, River and its ADWIN: what our service is compared with.

    python benchmarks/rivals/quix_river.py BROKER INPUT OUTPUT GROUP MODEL GUARANTEE

Predicts every event of the topic INPUT, learns from its label, which comes inline or as a later record of the same
topic, watches the errors for drift, and writes predictions to OUTPUT. It is kept as lean as such an application can be:
predictions wait in a dict in memory, nothing is checked, and a restart begins with an untrained model. It needs nothing
of Driftline's, only requirements/bench.txt.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from quixstreams import Application
from river import drift, forest, linear_model, preprocessing, tree

MODELS: dict[str, Callable[[], Any]] = {
    "Scaler + LogisticRegression": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "HoeffdingTree": tree.HoeffdingTreeClassifier,
    "ARF(10)": lambda: forest.ARFClassifier(n_models=10, seed=1),
}
NOT_FEATURES = ("id", "ts", "label")


class Learning:
    """Predict, then learn when the label is known."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._drift: Any = drift.ADWIN()  # type: ignore[no-untyped-call]
        self._waiting: dict[str, tuple[dict[str, float], float]] = {}

    def take(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """The prediction for an event; None for a label."""
        if len(record) == 2:
            waiting = self._waiting.pop(record["id"], None)
            if waiting is not None:
                self._learn(*waiting, record["label"])
            return None
        features = {name: value for name, value in record.items() if name not in NOT_FEATURES}
        score = self._model.predict_proba_one(features).get(True, 0.5)
        if "label" in record:
            self._learn(features, score, record["label"])
        else:
            self._waiting[record["id"]] = features, score
        return {"id": record["id"], "ts": record["ts"], "prediction": score >= 0.5, "score": score}

    def _learn(self, features: dict[str, float], score: float, label: bool) -> None:
        self._drift.update(int((score >= 0.5) is not label))
        if self._drift.drift_detected:
            print("drift", file=sys.stderr)
        self._model.learn_one(features, label)


def main() -> None:
    """Run until it is asked to stop."""
    broker, source, target, group, model, guarantee = sys.argv[1:]
    app = Application(
        broker_address=broker,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        auto_create_topics=False,
        loglevel="ERROR",
    )
    learning = Learning(MODELS[model]())
    frame = app.dataframe(app.topic(source, value_deserializer="json"))
    frame = frame.apply(learning.take).filter(lambda prediction: prediction is not None)
    frame.to_topic(app.topic(target, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main()
