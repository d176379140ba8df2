from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stream.config.tracing import TracingConfig
from stream.errors import ConfigError
from stream.telemetry import Telemetry
from stream.tracing import MOST, Traces

SECOND = 1_000_000_000


class World:
    """Stages that end a second apart, and the spans that come of them."""

    def __init__(self, sample: float = 1.0) -> None:
        self._sent = InMemorySpanExporter()
        seconds = count(100)
        self.traces = Traces(TracingConfig(sample=sample), "shop", self._sent, lambda: next(seconds) * SECOND)
        self.telemetry = Telemetry("small", self.traces)

    def spans(self) -> list[ReadableSpan]:
        self.traces.close()
        return list(self._sent.get_finished_spans())


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with closing(made.traces):
        yield made


def by_trace(spans: list[ReadableSpan]) -> list[list[str]]:
    """The names of the spans of each trace, in the order in which they began, the traces in theirs."""
    found: dict[int, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: (span.start_time or 0, -(span.end_time or 0))):
        assert span.context is not None
        found.setdefault(span.context.trace_id, []).append(span)
    return [[span.name for span in trace] for trace in found.values()]


def test_a_trace_shows_the_stages_that_led_to_a_commit(world: World) -> None:
    for stage in ("decode", "engine", "produce"):
        world.telemetry.observe_span(stage, 0.5, lambda: {"partition": 3, "effects": 40, "version": 7})
    world.telemetry.observe_span("commit", 0.5, lambda: {"partitions": 1})

    spans = world.spans()
    assert by_trace(spans) == [
        ["driftline", "driftline.decode", "driftline.engine", "driftline.produce", "driftline.commit"]
    ]
    engine = next(span for span in spans if span.name == "driftline.engine")
    whole = next(span for span in spans if span.name == "driftline")
    assert engine.attributes == {"driftline.partition": 3, "driftline.effects": 40, "driftline.version": 7}
    assert (engine.start_time, engine.end_time) == (100.5 * SECOND, 101 * SECOND)
    assert (whole.start_time, whole.end_time) == (99.5 * SECOND, 103 * SECOND)
    assert engine.parent == whole.context
    assert whole.resource.attributes["service.name"] == "shop"


def test_what_is_done_while_a_commit_is_under_way_belongs_to_the_next(world: World) -> None:
    world.telemetry.observe_span("engine", 0.5)
    world.telemetry.observe_span("produce", 0.5)  # ends at 101, when the commit has begun
    world.telemetry.observe_span("commit", 1.5)
    world.telemetry.observe_span("commit", 0.5)

    assert by_trace(world.spans()) == [
        ["driftline", "driftline.engine", "driftline.commit"],
        ["driftline", "driftline.produce", "driftline.commit"],
    ]


def test_stages_without_a_commit_stay_bounded(world: World) -> None:
    for _ in range(MOST + 10):
        world.telemetry.observe_span("engine", 0.5)
    world.telemetry.observe_span("commit", 0.5)

    assert len(world.spans()) == MOST + 2


def test_only_a_share_is_traced() -> None:
    world = World(sample=0.25)
    for _ in range(200):
        world.telemetry.observe_span("commit", 0.1)

    assert 20 <= len(by_trace(world.spans())) <= 80


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"not installed\.\n.*pip install 'driftline\[otel\]'"):
        Traces(TracingConfig(), "shop")


def test_a_service_that_is_not_traced_imports_nothing_for_it() -> None:
    code = (
        "import sys; from stream.service import Service; from stream.telemetry import Telemetry; "
        "Telemetry('m').observe_span('engine', 0.1); "
        "sys.exit(any(name.startswith(('stream.tracing', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
