"""A run of events whose labels came with them: each predicted and then learned from before the next, in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from detectors.base import Signal
from learners.base import Output
from stream.core.monitors import Monitors
from stream.core.pending import Joined
from stream.core.problem import Judge
from stream.core.state import TaskState


def predict_and_learn(joined: Joined, state: TaskState) -> tuple[int, list[tuple[str, Signal]]]:
    """Predict and learn from these one after the other: to the end, which is quicker and does where a signal starts
    nothing, or up to and with the first whose error makes a concept detector say something.

    Returns how many that are, and the signals at positions among them. Their outputs are filled in, and the contestants
    have learned from them too; nothing has seen those that come after.
    """
    rows, labels = [waiting.features for waiting in joined.waiting], joined.labels
    judge, monitors, adaptation = state.judge, state.monitors, state.adaptation
    if adaptation.learns:
        made = state.champion.prequential(rows, labels)
    else:
        made = (output for output in state.champion.predict(rows))
    with closing(made) as predicted:
        if adaptation.reacts:
            outputs, signals = _up_to_a_signal(predicted, joined, judge, monitors)
        else:
            outputs = list(predicted)
            signals = monitors.observe_outputs(judge, outputs, joined.waiting, labels)
    n = len(outputs)
    rows, labels = rows[:n], labels[:n]
    others = [learner.prequential(rows, labels) for _, learner in state.baselines]
    rivals = [(one.number, one.learner.prequential(rows, labels)) for one in adaptation.contestants]
    for waiting, made_of_it in zip(joined.waiting[:n], zip(outputs, *others, strict=True), strict=True):
        waiting.outputs = made_of_it
        if rivals:
            waiting.rivals = {number: next(output) for number, output in rivals}
    for _, rival in rivals:
        rival.close()
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
