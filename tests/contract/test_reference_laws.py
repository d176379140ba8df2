"""Laws of references: those that move on (`rolling`), and those that come from outside (`preset`)."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

from detectors.base import DataDetector, Reading, Row, Signal, State, Value
from tests.contract.data_detectors import CASES, SIZES, Case, build, events, seen

REFERENCE, WINDOW, EVERY = SIZES["reference"], SIZES["window"], SIZES["every"]
GAP, STEP = 300, 50
ROLLING = {"gap": GAP, "step": STEP}
ROLLING_KINDS = [kind for kind, case in CASES.items() if case.windowed and not case.whole]


@pytest.fixture(params=ROLLING_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def drifts(detector: DataDetector[Any], rows: list[Row]) -> list[tuple[int, str | None]]:
    return [(index, feature) for index, feature, state in seen(detector.observe(rows)) if state is State.DRIFT]


def unplaced(detector: DataDetector[Any], rows: list[Row]) -> list[Signal]:
    """What a detector tells of rows, but for where its reference lies."""
    return [one._replace(reading=one.reading._replace(apart=0)) for one in detector.observe(rows)]


def with_gaps(rows: list[Row], share: float, seed: int = 8) -> list[Row]:
    """The same, with feature `a` missing here and there."""
    rng = random.Random(seed)
    return [{"a": None if rng.random() < share else row["a"], "b": row["b"]} for row in rows]


def slowly(case: Case, n: int, seed: int = 3) -> list[Row]:
    """Events whose feature `a` is usual at first, then becomes another little by little."""
    rng = random.Random(seed)
    changed = (rng.random() < 0.9 * index / n for index in range(n))
    return events(case, (400, False)) + [{"a": case.draw(rng, is_), "b": case.draw(rng, False)} for is_ in changed]


class ByHand:
    """The values of a feature, and where its reference ends, as the documentation of `rolling` says it."""

    def __init__(self, judges_missing: bool) -> None:
        self._judges_missing = judges_missing
        self.values: list[Value] = []
        self.end = REFERENCE
        self._moved = REFERENCE + GAP + WINDOW

    def add(self, value: Value) -> None:
        if value is not None or self._judges_missing:
            self.values.append(value)

    def check(self) -> None:
        if len(self.values) >= self._moved + STEP:
            self._moved = len(self.values)
            self.end = self._moved - WINDOW - GAP

    @property
    def compared(self) -> list[Value]:
        return [*self.values[self.end - REFERENCE : self.end], *self.values[-WINDOW:]]


def alike(one: Reading, other: Reading) -> None:
    """They are equal, but for the rounding of sums that were added up in another order."""
    for mine, yours in zip(one, other, strict=True):
        assert mine == (pytest.approx(yours, rel=1e-9, abs=1e-12) if isinstance(yours, float) else yours)


def test_a_rolling_reference_reads_as_a_new_detector_given_exactly_those_values(kind: str, case: Case) -> None:
    never = {"min_effect": case.least_effect, "warning_alpha": None}
    rolling = build(kind, rolling=ROLLING, **never)
    known = {name: ByHand(case.judges_missing) for name in "ab"}
    moved = set()
    for index, row in enumerate(with_gaps(slowly(case, 3000), 0.3), start=1):
        for name, feature in known.items():
            feature.add(row[name])
        rolling.observe([row])
        if index % EVERY:
            continue
        for feature in known.values():
            feature.check()
        if index % 200 or index < 1000:
            continue
        moved.add(tuple(feature.end for feature in known.values()))
        fresh = build(kind, **never)
        columns = [feature.compared for feature in known.values()]
        fresh.observe([{"a": a, "b": b} for a, b in zip(*columns, strict=True)])
        for name in "ab":
            assert rolling.readings()[name].state is State.STABLE
            alike(rolling.readings()[name], fresh.readings()[name])
    assert len(moved) > 5


def test_a_slow_change_is_an_alarm_with_a_fixed_reference_and_none_with_one_that_moves(kind: str, case: Case) -> None:
    rows = slowly(case, 9000)
    assert drifts(build(kind), rows)
    assert drifts(build(kind, rolling=ROLLING), rows) == []


def test_a_sudden_change_is_found_by_a_reference_that_moves(kind: str, case: Case) -> None:
    found = drifts(build(kind, rolling=ROLLING), events(case, (5000, False), (700, True)))
    assert [feature for _, feature in found] == ["a"]
    assert 5000 <= found[0][0] < 5000 + WINDOW


def test_after_a_drift_the_reference_is_learnt_anew_and_moves_only_when_the_gap_is_full_again(
    kind: str, case: Case
) -> None:
    rows = events(case, (2000, False), (5000, True))
    detector, new = build(kind, rolling=ROLLING), build(kind, rolling=ROLLING)
    ((at, _),) = drifts(detector, rows)

    new.observe(rows[at + 1 :])

    assert detector.readings()["a"] == new.readings()["a"]


@pytest.mark.parametrize(("longest", "every"), [(1, EVERY), (7, EVERY), (5000, EVERY), (7, 1)])
def test_signals_are_the_same_however_the_stream_is_cut(kind: str, case: Case, longest: int, every: int) -> None:
    options: dict[str, Any] = {"rolling": {"gap": 30, "step": 7}, "every": every, **case.warns}
    rows = with_gaps(events(case, (600, False), (300, True)), 0.2)
    rng, whole, cut, start, found = random.Random(longest), build(kind, **options), build(kind, **options), 0, []
    while start < len(rows):
        span = rows[start : start + rng.randint(1, longest)]
        found += [signal._replace(index=start + signal.index) for signal in cut.observe(span)]
        start += len(span)
    assert found == whole.observe(rows)
    assert found
    assert cut.readings() == whole.readings()


@pytest.mark.parametrize("cut", [205, 1111, 1555])
def test_a_rolling_detector_pickled_at_any_moment_goes_on_identically(kind: str, case: Case, cut: int) -> None:
    rows = with_gaps(events(case, (1200, False), (700, True)), 0.2)
    detector = build(kind, rolling=ROLLING, **case.warns)
    detector.observe(rows[:cut])
    twin = pickle.loads(pickle.dumps(detector, protocol=5))
    assert twin.readings() == detector.readings()
    assert twin.observe(rows[cut:]) == detector.observe(rows[cut:])
    assert twin.readings() == detector.readings()


def test_the_memory_of_a_rolling_detector_does_not_grow_with_the_stream(kind: str, case: Case) -> None:
    detector = build(kind, rolling=ROLLING)
    detector.observe(events(case, (5000, False)))
    before = len(pickle.dumps(detector))
    detector.observe(events(case, (5000, False), seed=2))
    assert len(pickle.dumps(detector)) <= before + 200


# from outside


TAKING = [kind for kind in CASES if kind != "feature_blocks"]  # which learns from the stream what blocks differ by


@pytest.fixture(params=[kind for kind in TAKING if not CASES[kind].whole])
def any_kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def test_a_detector_that_is_given_its_references_judges_from_the_first_full_window_on(any_kind: str) -> None:
    case, detector = CASES[any_kind], build(any_kind)
    detector.observe(events(case, (333, True)))  # which is forgotten

    lacking = detector.preset(events(case, (REFERENCE, False)))
    changed = events(case, (WINDOW, True), seed=2)

    assert lacking == {}
    assert {reading.reference_n for reading in detector.readings().values()} == {REFERENCE}
    assert {reading.state for reading in detector.readings().values()} == {State.WARMUP}
    assert [feature for _, feature in drifts(detector, changed)] == ["a"]
    assert detector.readings()["a"].state in {State.WARMUP, State.DRIFT}, "it learns anew"


@pytest.mark.parametrize("rolling", [None, {"gap": 100, "step": 20}])
def test_a_given_reference_is_as_one_that_was_learnt_from_the_same_rows(
    kind: str, case: Case, rolling: dict[str, int] | None
) -> None:
    rows = events(case, (700, False), (700, True))
    learnt, given = build(kind, rolling=rolling, **case.warns), build(kind, rolling=rolling, **case.warns)

    learnt.observe(rows[:REFERENCE])
    given.preset(rows[:REFERENCE])

    assert given.readings() == learnt.readings()
    assert unplaced(given, rows[REFERENCE:]) == unplaced(learnt, rows[REFERENCE:])


@pytest.mark.parametrize(
    "any_kind", [kind for kind in TAKING if not CASES[kind].judges_missing and not CASES[kind].whole], indirect=True
)
def test_rows_beyond_the_reference_and_unusable_values_are_left_out(any_kind: str) -> None:
    case = CASES[any_kind]
    rows = events(case, (REFERENCE, False))
    more, gaps = build(any_kind), build(any_kind)

    more.preset([*rows, *events(case, (100, True))])
    bad: list[Row] = [{"a": case.missing[1], "b": None}] * 50
    lacking = gaps.preset([*bad, *rows])
    rest = events(case, (300, False), (300, True), seed=4)

    assert lacking == {}
    assert gaps.observe(rest) == more.observe(rest)


def test_what_a_feature_lacks_is_told_and_learnt_from_the_stream(any_kind: str) -> None:
    case, detector = CASES[any_kind], build(any_kind)
    whole = events(case, (REFERENCE, False))
    rows: list[Row] = [row if index < 120 else {"a": None, "b": row["b"]} for index, row in enumerate(whole)]

    lacking = detector.preset(rows)

    assert lacking == ({} if case.judges_missing else {"a": REFERENCE - 120})
    assert detector.readings()["b"].reference_n == REFERENCE
    detector.observe(events(case, (EVERY, False)))
    assert detector.readings()["a"].reference_n == (REFERENCE if case.judges_missing else 120 + EVERY)


def test_without_rows_everything_is_learnt_from_the_stream(any_kind: str) -> None:
    detector, new = build(any_kind), build(any_kind)
    assert detector.preset([]) == dict.fromkeys("ab", REFERENCE)
    rows = events(CASES[any_kind], (500, False), (300, True))
    assert detector.observe(rows) == new.observe(rows)


def test_a_feature_that_no_row_names_is_learnt_from_the_stream_even_where_missing_values_count(any_kind: str) -> None:
    detector = build(any_kind)
    assert detector.preset([{"b": row["b"]} for row in events(CASES[any_kind], (REFERENCE, False))]) == {"a": REFERENCE}
    assert detector.readings()["a"].reference_n == 0


@pytest.mark.parametrize("any_kind", [kind for kind, case in CASES.items() if case.whole], indirect=True)
def test_a_detector_of_whole_rows_takes_them_as_they_are(any_kind: str) -> None:
    rows = events(CASES[any_kind], (700, False), (700, True))
    learnt, given, few, unnamed = (build(any_kind) for _ in range(4))

    learnt.observe(rows[:REFERENCE])
    assert given.preset(rows[: REFERENCE + 50]) == {}
    assert few.preset(rows[:120]) == dict.fromkeys("ab", REFERENCE - 120)
    assert unnamed.preset([{"b": row["b"]} for row in rows]) == {"a": REFERENCE}

    assert unplaced(given, rows[REFERENCE:]) == unplaced(learnt, rows[REFERENCE:])
    assert few.readings()[""].reference_n == 120
    assert unnamed.readings()[""].reference_n == 0


@pytest.mark.parametrize("rolling", [None, ROLLING])
def test_a_signal_says_how_far_its_reference_lies_behind_its_window(
    kind: str, case: Case, rolling: dict[str, int] | None
) -> None:
    steady, moved = events(case, (1500, False), (200, True)), build(kind, rolling=rolling)
    signal = next(signal for signal in moved.observe(steady) if signal.reading.state is State.DRIFT)
    followed = signal.index + 1 - REFERENCE - WINDOW
    if rolling is None:
        assert signal.reading.apart == followed
    else:
        assert signal.reading.apart is not None
        assert GAP <= signal.reading.apart < GAP + STEP + EVERY < followed


def test_a_reference_from_outside_is_nowhere_in_the_stream(kind: str, case: Case) -> None:
    detector = build(kind)
    detector.preset(events(case, (REFERENCE, False)))
    signal = next(iter(detector.observe(events(case, (WINDOW, False), (200, True)))))
    assert signal.reading.apart is None
