"""What the engine tells of its predictions, and the part of a span that is told of."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stream.config.model import Config
from stream.core.problem import Answer
from stream.records import Event, Prediction, Rejected, Span


def predictions(
    config: Config,
    partition: int,
    version: int,
    latency_ms: float,
    threshold: float | None,
    answered: Iterable[tuple[Event, Answer]],
) -> list[Prediction]:
    """The effects that publish these answers, given by this version of the model."""
    model, audited = config.model.name, config.audit.features
    return [
        Prediction(
            event.id,
            None if event.key is None else event.key.decode(errors="replace"),
            event.time,
            answer,
            probabilities,
            model,
            version,
            latency_ms,
            partition,
            event.offset,
            event.features if audited else None,
            threshold,
        )
        for event, (answer, probabilities) in answered
    ]


def topic_of(rejected: Rejected, config: Config) -> str:
    """The topic of a record that was rejected: `events` or `labels`."""
    return "events" if rejected.topic == config.topics.events else "labels"


def split(span: Span, at_event: int | None, at_label: int | None, config: Config) -> tuple[Span, Span | None]:
    """A span up to the event or, if that is None, the label at this offset; what comes after it, if anything."""
    last = {"events": math.inf if at_event is None else at_event, "labels": -1 if at_label is None else at_label}

    def part(early: bool) -> Span:
        return Span(
            [event for event in span.events if (event.offset <= last["events"]) is early],
            [label for label in span.labels if (label.offset <= last["labels"]) is early],
            [one for one in span.rejected if (one.offset <= last[topic_of(one, config)]) is early],
            span.received,
        )

    rest = part(early=False)
    return part(early=True), rest if rest.events or rest.labels or rest.rejected else None
