"""Traces by OpenTelemetry: what led to a commit, stage by stage. Imported only where they are asked for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.config.tracing import TracingConfig
from stream.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

MOST: Final = 1000
"""Stages of one trace at most; the oldest beyond are left out."""

_SECOND: Final = 1_000_000_000


class _Stage(NamedTuple):
    """A stage that has ended: from `start` to `end`, in nanoseconds since the epoch."""

    name: str
    start: int
    end: int
    facts: Mapping[str, int]


class Traces:
    """A trace for each commit, or a share of them: a span for all of it, and in it one for each stage that a span of
    records went through. Sending is done by a thread of the SDK, which drops what it cannot send in time.

    Called by the worker's thread only. Raises ConfigError when the SDK is not installed. `exporter` is another than
    the one that sends to the endpoint; `clock` gives nanoseconds since the epoch.
    """

    def __init__(
        self,
        config: TracingConfig,
        app: str,
        exporter: SpanExporter | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
            from opentelemetry.trace import set_span_in_context
        except ImportError:
            raise ConfigError(
                "tracing: the library opentelemetry-sdk is not installed.",
                "pip install 'driftline[otel]', or remove tracing.",
            ) from None
        self._clock = clock
        self._within = set_span_in_context
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(config.sample),
            resource=Resource.create({"service.name": app}),
            shutdown_on_exit=False,
        )
        sender = OTLPSpanExporter(endpoint=config.endpoint) if exporter is None else exporter
        self._provider.add_span_processor(BatchSpanProcessor(sender))
        self._tracer = self._provider.get_tracer("driftline")
        self._ended: deque[_Stage] = deque(maxlen=MOST)

    def add(self, stage: str, seconds: float, facts: Mapping[str, int]) -> None:
        """A stage has just ended, after so long. A commit ends the trace of all that came before it began; what came
        while it was under way belongs to the next.
        """
        end = self._clock()
        ended = _Stage(stage, end - int(seconds * _SECOND), end, facts)
        if stage != "commit":
            self._ended.append(ended)
            return
        before = [one for one in self._ended if one.end <= ended.start]
        self._ended = deque((one for one in self._ended if one.end > ended.start), MOST)
        self._tell([*before, ended])

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()

    def _tell(self, stages: list[_Stage]) -> None:
        whole = self._tracer.start_span("driftline", start_time=min(stage.start for stage in stages))
        if whole.is_recording():
            context = self._within(whole)
            for name, start, end, facts in stages:
                attributes = {f"driftline.{fact}": value for fact, value in facts.items()}
                span = self._tracer.start_span(f"driftline.{name}", context, attributes=attributes, start_time=start)
                span.end(end)
        whole.end(stages[-1].end)
