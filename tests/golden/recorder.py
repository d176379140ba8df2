"""What the golden test replays, and how it writes down what comes out.

    python tests/golden/recorder.py      # after a change that is meant to change results: look at the difference in git

`records.jsonl` holds raw records as a broker would give them: a morning of real flights with late labels, duplicates,
unreadable ones and strangers. `expected.jsonl` holds every effect of the engine on them, and the final counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from stream.config.model import Config
from stream.core.engine import Engine
from stream.core.merge import Merger
from stream.decode import EventDecoder, LabelDecoder
from stream.records import Effect, Prediction, Promote
from stream.simulate.catalogue import Kind, make_source
from stream.simulate.wire import Faults, encode, spoil
from stream.testing import Raw, small_config

HERE = Path(__file__).parent
RECORDS, EXPECTED = HERE / "records.jsonl", HERE / "expected.jsonl"
NOW = 1.7e9
DIGITS = 12


def config() -> Config:
    """A service on flights, with detectors quick enough to say something within a few hundred records."""
    return small_config(
        {
            "events": {
                "time": "ts",
                "time_unit": "iso",
                "features": {
                    "carrier": {"type": "category", "path": "flight.carrier", "required": True},
                    "minute_of_day": {"type": "number", "path": "flight.minute_of_day", "min": 0, "max": 1439},
                    "distance": {"type": "number", "path": "flight.distance"},
                    "wind_gust": {"type": "number", "path": "weather.wind_gust"},
                },
            },
            "labels": {"ttl": "4h"},
            "merge": {"slack": "60s"},
            "model": {"name": "late"},
            "detectors": {
                "concept": [{"kind": "page_hinkley", "threshold": 2}],
                "data": [
                    {"kind": "ks", "reference": 100, "window": 50, "every": 25},
                    {"kind": "chi_squared", "reference": 100, "window": 50, "every": 25},
                ],
            },
            "adaptation": {"min_labels": 50, "margin": 0},
            "audit": {"features": True},
        }
    )


def record() -> None:
    """Write the records."""
    faults = Faults(duplicate_rate=0.03, malformed_rate=0.02, shuffle_labels=5, seed=3)
    offsets = {"events": 0, "labels": 0}
    lines = []
    for message in spoil(encode(make_source(Kind.FLIGHTS).records(events=400)), faults):
        offset, value = offsets[message.topic], message.value.decode("latin-1")  # any bytes, one character each
        lines.append([message.topic, offset, message.timestamp, message.key.decode(), value])
        offsets[message.topic] += 1
    RECORDS.write_text("".join(json.dumps(line) + "\n" for line in lines))


def replay() -> list[str]:
    """The effects of the engine on the records, and the counts, as lines of JSON."""
    under_test = config()
    raw: dict[str, list[Raw]] = {"events": [], "labels": []}
    for line in RECORDS.read_text().splitlines():
        topic, offset, timestamp, key, value = json.loads(line)
        raw[topic].append(
            Raw(value.encode("latin-1"), key.encode(), topic, offset=offset, timestamp=round(timestamp * 1000))
        )
    merge = under_test.merge
    merger = Merger(merge.slack, merge.wait, two_topics=True)
    merger.ended(events=True, labels=True)
    merger.add_events(EventDecoder(under_test).decode(raw["events"]), NOW)
    merger.add_labels(LabelDecoder(under_test).decode(raw["labels"]), NOW)
    engine = Engine(under_test, partition=0)
    lines = []
    while (span := merger.next_span(NOW + merge.wait)) is not None:
        lines += [written(effect) for effect in engine.process(span, NOW)]
    counts = {f"{topic} {outcome}": n for (topic, outcome), n in sorted(engine.state.counts.items())}
    return [*lines, json.dumps({"counts": counts, "waiting": engine.state.pending.waiting})]


def written(effect: Effect) -> str:
    """An effect as a line of JSON, floats to 12 digits: more differ between processors."""
    kind = type(effect).__name__
    known = (
        {"scores": effect.scores, "offset": effect.offset}
        if isinstance(effect, Promote)
        else msgspec.to_builtins(effect)
    )
    if isinstance(effect, Prediction):
        known = {name: known[name] for name in ("id", "key", "ts", "prediction", "probabilities", "offset", "features")}
    return json.dumps({kind: _rounded(known)}, sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    record()
    EXPECTED.write_text("\n".join(replay()) + "\n")
