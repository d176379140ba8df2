"""What is sealed for a snapshot and opened again continues exactly as the original, whatever comes before and after."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import DataDetector
from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from learners.base import Learner, Row
from tests.contract import data_detectors, learner_cases
from tests.contract import test_detector_laws as concept_laws

KEY = SigningKey("laws", b"a secret that only tests know")

NUMBERS: Any = st.one_of(st.floats(-5, 5), st.floats(), st.none(), st.integers(), st.sampled_from(["", "x", "7"]))
ROWS: Any = st.fixed_dictionaries({"a": st.floats(-3, 3)}, optional={"b": NUMBERS, "c": st.sampled_from(["x", "y", 3])})
SPANS: Any = st.lists(st.lists(ROWS, min_size=1, max_size=12), min_size=1, max_size=4)
ERRORS: Any = st.lists(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), max_size=60)
USUAL = learner_cases.rows_of(240)


def reopened(obj: Any) -> Any:
    return open_sealed(seal(obj, key=KEY, metadata={}), keys=KeyRing([KEY]))[1]


@cache
def grown(case: learner_cases.Case) -> bytes:
    """A learner with some past: its trees have split."""
    learner = case.make()
    learner_cases.run(learner, case, USUAL)
    return seal(learner, key=KEY, metadata={})


def live(learner: Learner[Any], case: learner_cases.Case, spans: list[list[Row]]) -> list[str]:
    """What a learner says while it learns from the spans, to the last bit."""
    return [repr(learner_cases.run(learner, case, span)) for span in spans]


@learner_cases.law
@settings(max_examples=8, deadline=None)
@given(before=SPANS, after=SPANS)
def test_a_learner_reopened_at_any_moment_continues_exactly(
    case: learner_cases.Case, before: list[list[Row]], after: list[list[Row]]
) -> None:
    _, original = open_sealed(grown(case), keys=KeyRing([KEY]))
    live(original, case, before)
    copy = reopened(original)
    assert live(copy, case, after) == live(original, case, after)
    again = reopened(copy)
    assert live(again, case, [USUAL[:60]]) == live(original, case, [USUAL[:60]])


@pytest.mark.parametrize(("kind", "case"), concept_laws.ALL, ids=concept_laws.IDS)
@settings(max_examples=15, deadline=None)
@given(past=st.integers(0, 700), before=ERRORS, after=ERRORS)
def test_a_concept_detector_reopened_at_any_moment_continues_exactly(
    kind: str, case: concept_laws.Case, past: int, before: list[float], after: list[float]
) -> None:
    original = concept_laws.build(kind, case.options)
    original.observe(concept_laws.WITH_CHANGES[:past])
    original.observe(before)
    copy = reopened(original)
    assert copy.reading == original.reading
    assert concept_laws.readings(copy, after) == concept_laws.readings(original, after)
    rise = concept_laws.RISE
    assert concept_laws.readings(reopened(copy), rise) == concept_laws.readings(original, rise)


@pytest.mark.parametrize("kind", data_detectors.CASES)
@settings(max_examples=15, deadline=None)
@given(past=st.integers(0, 900), before=st.lists(ROWS, max_size=40), after=st.lists(ROWS, max_size=40))
def test_a_data_detector_reopened_at_any_moment_continues_exactly(
    kind: str, past: int, before: list[Row], after: list[Row]
) -> None:
    stream = data_detectors.events(data_detectors.CASES[kind], (500, False), (700, True))
    rows: list[Row] = [{name: row[name] for name in ("a", "b")} for row in stream]
    original = data_detectors.build(kind, **data_detectors.CASES[kind].warns)
    original.observe(rows[:past])
    original.observe(before)
    copy: DataDetector[Any] = reopened(original)
    for span in (after, rows[past:], rows[:400]):
        assert copy.observe(span) == original.observe(span)
        assert copy.readings() == original.readings()
        copy = reopened(copy)
