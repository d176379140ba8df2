"""The engine without Kafka: its stream as spans, and how fast it takes them."""

from __future__ import annotations

import gc
import time

from bench.models import SPAN, WARM, Rows
from stream.config.model import Config
from stream.core.engine import Engine
from stream.records import Event, Label, Span

NOW = 1e9


def spans(xs: Rows, ys: list[bool], *, inline: bool = False, first: int = 0) -> list[Span]:
    """The stream as spans of events followed by their labels, or with inline labels, numbered from `first`."""
    cut = []
    for start in range(0, len(xs), SPAN):
        numbers = range(start, min(start + SPAN, len(xs)))
        ids = [(f"e{first + n}", float(first + n), first + n) for n in numbers]
        events = [
            Event(id_, ts, ts, offset, xs[n], b"k", ys[n] if inline else None)
            for n, (id_, ts, offset) in zip(numbers, ids, strict=True)
        ]
        labels = [] if inline else [Label(id_, ys[n], ts, o) for n, (id_, ts, o) in zip(numbers, ids, strict=True)]
        cut.append(Span(events, labels, [], NOW))
    return cut


def speed(config: Config, cut: list[Span]) -> float:
    """Events per second of the engine on decoded records, once it is warm."""
    engine = Engine(config, 0)
    warm = int(WARM * len(cut))
    for span in cut[:warm]:
        engine.process(span, NOW)
    gc.collect()
    started = time.perf_counter()
    for span in cut[warm:]:
        engine.process(span, NOW)
    return sum(len(span.events) for span in cut[warm:]) / (time.perf_counter() - started)
