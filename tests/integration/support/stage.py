"""One service's surroundings: topics of its own, its configuration, and the streams that tests let it see."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stream.config.load import load
from stream.config.model import Config
from stream.embedded.ports import free_port
from tests.integration.support.outside import T0, Given, Outside, Seen

SIGNING_KEY = "a-signing-key-for-tests-of-32-characters"

_DATA: dict[str, Any] = {
    "events": {"features": {"x": {"type": "number", "min": -10, "max": 10}, "kind": {"type": "category"}}},
    "labels": {"ttl": "1h", "max_pending": 10_000},
    "merge": {"wait": "100ms"},
    "model": {"name": "small", "problem": "binary", "learner": {"kind": "logistic", "learning_rate": 0.3}},
    "runtime": {"commit_interval": "50ms", "snapshot_interval": "1h"},
}


class Stage:
    """A service with unique names. `data` is its configuration, written to `file` whenever it is `configured`."""

    def __init__(
        self,
        outside: Outside,
        redis_url: str,
        folder: Path,
        overrides: Mapping[str, Any] | None = None,
        *,
        partitions: int = 1,
    ) -> None:
        self.outside = outside
        self.app = f"t{uuid.uuid4().hex[:8]}"
        key = folder / "signing.key"
        key.write_text(SIGNING_KEY)
        self.file = folder / f"{self.app}.yaml"
        names = ("events", "labels", "predictions", "alerts", "dead_letters", "journal", "audit")
        self.data = merged(
            _DATA,
            {
                "app": self.app,
                "kafka": {"bootstrap_servers": outside.bootstrap},
                "topics": {name: f"{self.app}.{name}" for name in names},
                "redis": {"url": redis_url, "poll_interval": "200ms"},
                "security": {"signing_key": {"file": str(key)}},
                "http": {"port": free_port()},
            },
        )
        self.configure(overrides or {})
        for name, topic in self.data["topics"].items():
            if topic is not None:
                outside.create(topic, partitions if name in ("events", "labels", "journal") else 1)

    def configure(self, overrides: Mapping[str, Any]) -> None:
        """Change the configuration, section by section. A service that runs does not notice."""
        self.data = merged(self.data, overrides)
        self.file.write_text(json.dumps(self.data))  # JSON is YAML

    @property
    def config(self) -> Config:
        return load(self.file)

    @property
    def group(self) -> str:
        return f"driftline-{self.app}"

    def topic(self, name: str) -> str:
        topic: str = self.data["topics"][name]
        return topic

    def produce(self, name: str, records: Iterable[Given]) -> None:
        """Produce to the topic of this purpose."""
        self.outside.produce(self.topic(name), records)

    def read(self, name: str, at_least: int = 0, timeout: float = 30.0) -> list[Seen]:
        """All records of the topic of this purpose, once there are so many."""
        return self.outside.wait_for(self.topic(name), lambda seen: len(seen) >= at_least, timeout)

    def predictions(self, at_least: int = 0, timeout: float = 30.0) -> list[dict[str, Any]]:
        """All predictions, once there are so many."""
        return [seen.json for seen in self.read("predictions", at_least, timeout)]

    def alerts(self, kind: str, timeout: float = 30.0) -> list[Seen]:
        """All alerts of a kind, once there is one."""
        topic = self.topic("alerts")
        self.outside.wait_for(topic, lambda seen: any(s.json["kind"] == kind for s in seen), timeout)
        return [seen for seen in self.outside.read(topic) if seen.json["kind"] == kind]

    def committed(self, name: str) -> int:
        """Records of the topic of this purpose that are committed, over all partitions."""
        return sum(self.outside.committed(self.group, self.topic(name)).values())


def event(n: int, value: Mapping[str, Any] | None = None, *, partition: int = 0) -> Given:
    """Event `n`: id `e{n}`, a second after event n - 1; x runs through [-1, 1] in no order."""
    row = {"id": f"e{n}", "x": x_of(n), "kind": "ab"[n % 2]} if value is None else {"id": f"e{n}", **value}
    return Given(json.dumps(row).encode(), f"key{n % 7}".encode(), T0 + n, partition)


def label(n: int, truth: object = None, *, delay: float = 0.5, partition: int = 0) -> Given:
    """The label of event `n`, by default whether its x is positive."""
    truth = x_of(n) > 0 if truth is None else truth
    value = json.dumps({"id": f"e{n}", "label": truth}).encode()
    return Given(value, f"key{n % 7}".encode(), T0 + n + delay, partition)


def x_of(n: int) -> float:
    """A number in [-1, 1), the same for the same event, not in order."""
    return (n * 0.6180339887) % 1.0 * 2.0 - 1.0


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` in it, section by section; features, learners and lists are replaced whole."""
    result = dict(base)
    for name, value in over.items():
        known = result.get(name)
        deeper = isinstance(value, Mapping) and isinstance(known, Mapping) and name not in ("features", "learner")
        result[name] = merged(known, value) if deeper and isinstance(known, Mapping) else value
    return result
