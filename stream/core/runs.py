"""A run of events whose labels came with them: each predicted and then learned from before the next, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from detectors.base import Signal
from learners.base import Learner, Output
from stream.core.monitors import Monitors
from stream.core.pending import Joined
from stream.core.problem import Judge


def predict_and_learn(
    joined: Joined,
    champion: Learner[Any],
    baselines: Sequence[tuple[str, Learner[Any]]],
    judge: Judge,
    monitors: Monitors,
    to_the_end: bool,
) -> tuple[int, list[tuple[str, Signal]]]:
    """Predict and learn from these one after the other: `to_the_end`, which is quicker and does where a signal starts
    nothing, or up to and with the first whose error makes a concept detector say something.

    Returns how many that are, and the signals at positions among them. Their outputs are filled in; nothing has seen
    those that come after.
    """
    rows, labels = [waiting.features for waiting in joined.waiting], joined.labels
    with closing(champion.prequential(rows, labels)) as predicted:
        if to_the_end:
            outputs = list(predicted)
            signals = monitors.observe_outputs(judge, outputs, joined.waiting, labels)
        else:
            outputs, signals = _up_to_a_signal(predicted, joined, judge, monitors)
    n = len(outputs)
    others = [learner.prequential(rows[:n], labels[:n]) for _, learner in baselines]
    for waiting, made in zip(joined.waiting[:n], zip(outputs, *others, strict=True), strict=True):
        waiting.outputs = made
    return n, signals


def _up_to_a_signal(
    predicted: Iterable[Output], joined: Joined, judge: Judge, monitors: Monitors
) -> tuple[list[Output], list[tuple[str, Signal]]]:
    """The outputs up to and with the first whose error makes a detector say something, and what it says."""
    outputs: list[Output] = []
    for output, waiting, label in zip(predicted, joined.waiting, joined.labels, strict=True):
        outputs.append(output)
        signals = monitors.observe_outputs(judge, (output,), (waiting,), (label,))
        if signals:
            return outputs, [(name, signal._replace(index=len(outputs) - 1)) for name, signal in signals]
    return outputs, []
