"""A task's steps are as long as its learner allows, and what they are is written down."""

from __future__ import annotations

from collections.abc import Iterator

from stream.config.model import Config
from stream.core import journal
from stream.core.journal import SpanStep
from stream.decode import EventDecoder, LabelDecoder
from stream.kafka.task import FIRST_SPAN, FULL, SPAN, STEP_SECONDS, Task
from stream.testing import Raw, small_config

NO_LABELS = {"topics": {"labels": None}, "events": {"label": "y"}}


class Timer:
    """Every record takes `cost` seconds: told at the beginning and the end of each step."""

    def __init__(self) -> None:
        self.cost = 0.0
        self.records = 0
        self._ends = False

    def __call__(self) -> float:
        self._ends = not self._ends
        return 0.0 if self._ends else self.cost * self.records


def a_task(timer: Timer | None = None) -> Task:
    config: Config = small_config(NO_LABELS)
    decoders = (EventDecoder(config), LabelDecoder(config))
    return Task(config, 0, None, decoders, clock=lambda: 1e9, timer=timer or Timer())


def give(task: Task, n: int, first: int = 0) -> None:
    task.add("events", [Raw(f'{{"id": "e{i}", "x": 1.0}}'.encode(), offset=i) for i in range(first, first + n)])


def spans(task: Task, timer: Timer, costs: Iterator[float]) -> list[int]:
    """Lengths of the spans that a task takes while a record costs so many seconds, step by step."""
    lengths: list[int] = []
    for cost in costs:
        timer.cost, timer.records = cost, task.span
        lengths.append(len(task.step() or []))
    return lengths


def test_steps_of_a_cheap_learner_grow_to_their_full_length() -> None:
    timer = Timer()
    task = a_task(timer)
    give(task, 5000)

    assert spans(task, timer, iter([1e-6] * 4)) == [FIRST_SPAN, 4 * FIRST_SPAN, SPAN, SPAN]


def test_steps_of_a_costly_learner_become_as_short_as_they_must_be() -> None:
    timer = Timer()
    task = a_task(timer)
    give(task, 5000)

    first, *others = spans(task, timer, iter([0.02] * 3))

    assert first == FIRST_SPAN
    assert others == [round(STEP_SECONDS / 0.02)] * 2


def test_a_record_that_takes_longer_than_a_step_is_taken_alone() -> None:
    timer = Timer()
    task = a_task(timer)
    give(task, 5000)

    assert spans(task, timer, iter([1.0] * 3)) == [FIRST_SPAN, 1, 1]


def test_a_task_that_was_held_up_once_takes_long_steps_again() -> None:
    timer = Timer()
    task = a_task(timer)
    give(task, 5000)

    assert spans(task, timer, iter([10.0, *[1e-6] * 6])) == [FIRST_SPAN, 1, 4, 16, 64, 256, SPAN]


def test_the_entry_names_what_each_step_took() -> None:
    task = a_task()
    give(task, FIRST_SPAN + 3)
    while task.step() is not None:
        pass
    entry = journal.decode(task.seal().value)

    assert (entry.sequence, entry.start, entry.end) == (1, {}, {"events": FIRST_SPAN + 3})
    assert [step.events for step in entry.steps if isinstance(step, SpanStep)] == [
        (0, FIRST_SPAN),
        (FIRST_SPAN, FIRST_SPAN + 3),
    ]


def test_a_commit_is_due_before_the_entry_is_too_long_for_a_record() -> None:
    task = a_task()
    for n in range(FULL):
        assert not task.full
        give(task, 1, n)
        task.step()

    assert task.full
    assert len(task.seal().value or b"") < 1_000_000


def test_what_is_done_while_a_commit_is_under_way_belongs_to_the_next() -> None:
    task = a_task()
    give(task, 1)
    task.step()
    task.seal()
    give(task, 1, 1)
    task.step()
    assert task.changed

    task.committed()
    entry = journal.decode(task.seal().value)

    assert (entry.sequence, entry.start, entry.end) == (2, {"events": 1}, {"events": 2})
    assert [step.events for step in entry.steps if isinstance(step, SpanStep)] == [(1, 2)]
