"""What features are like: which events are the reference, and which are now."""

from __future__ import annotations

from datetime import UTC, datetime

from stream.config.model import Config
from stream.history.frames import Distribution
from stream.history.references import Behind, Plan
from stream.history.samples import AT_ONCE, Samples
from stream.history.tables import SIZE, Columns, Table
from stream.profile import Profile
from stream.records import Event, Prediction
from stream.testing import event, small_config

ONCE_PER_LOOK = 0.0


def config(reference: int = 100) -> Config:
    return small_config({"detectors": {"data": [{"kind": "ks", "reference": reference}]}})


def events(first: int, n: int, x: float) -> list[Event]:
    return [event(number, {"x": x, "kind": "a" if x < 1 else None}) for number in range(first, first + n)]


def told(samples: Samples) -> dict[tuple[str, str], Distribution]:
    return {where: one for make in samples.due(1_767_225_600.0) for where, one in make().items()}


def test_the_first_events_of_a_task_are_the_reference_as_many_as_detectors_take() -> None:
    samples = Samples(config(), None, is_new=True)
    samples.take(events(0, 60, 0.0), (), 1.0, ONCE_PER_LOOK)
    assert ("x", "reference") not in told(samples)

    samples.take(events(60, 300, 5.0), (), 2.0, ONCE_PER_LOOK)
    reference = told(samples)["x", "reference"]

    assert (reference.n, reference.source) == (100, "the first 100 events of the partition")
    assert (reference.quantiles[0], reference.quantiles[-1]) == (0.0, 5.0)
    assert ("x", "reference") not in told(samples), "it is told once"


def test_of_a_long_reference_events_are_taken_evenly_wherever_spans_are_cut() -> None:
    whole, cut = (Samples(config(10_000), None, is_new=True) for _ in range(2))
    rows = [event(n, {"x": float(n), "kind": "a"}) for n in range(10_000)]
    whole.take(rows, (), 1.0, ONCE_PER_LOOK)
    for start in range(0, 10_000, 7):
        cut.take(rows[start : start + 7], (), 1.0, ONCE_PER_LOOK)

    reference = told(whole)["x", "reference"]

    assert reference == told(cut)["x", "reference"]
    assert reference.n == SIZE
    assert abs(reference.quantiles[10] - 5000.0) < 50.0


def test_a_task_that_goes_on_has_no_new_reference() -> None:
    samples = Samples(config(), None, is_new=False)
    samples.take(events(0, 500, 0.0), (), 1.0, ONCE_PER_LOOK)

    assert told(samples).keys() == {("x", "current"), ("kind", "current")}


def test_the_newest_events_are_what_it_is_like_now_and_missing_values_are_told() -> None:
    samples = Samples(config(), None, is_new=False)
    for turn in range(2 * SIZE // AT_ONCE):
        samples.take(events(0, 500, 7.0 if turn > SIZE // AT_ONCE else 0.0), (), float(turn), ONCE_PER_LOOK)

    found = told(samples)

    assert found["x", "current"].n <= SIZE
    assert found["x", "current"].quantiles[10] == 7.0
    assert found["kind", "current"].missing > 0.9


def test_samples_rest_in_proportion_to_what_they_took() -> None:
    samples = Samples(config(), None, is_new=False)
    samples.take(events(0, 500, 0.0), (), 10.0, 0.1)
    taken = told(samples)["x", "current"].n
    samples.take(events(0, 500, 0.0), (), 10.0 + 0.1 * taken - 0.01, 0.1)
    rested = told(samples)["x", "current"].n
    samples.take(events(0, 500, 0.0), (), 10.0 + 0.1 * taken, 0.1)

    assert (taken <= AT_ONCE, rested, told(samples)["x", "current"].n) == (True, taken, 2 * taken)


def test_with_a_profile_that_is_the_reference() -> None:
    made = datetime(2026, 1, 2, tzinfo=UTC)
    values: dict[str, list[float | str | bool | None]] = {"x": [1.0, 3.0], "kind": ["a", None]}
    profile = Profile(
        model="m", made=made, source="week.jsonl", events=2, dead_letters=0, seed=1, times=[0.0, 1.0], features=values
    )
    found = told(Samples(config(), profile, is_new=True))

    assert found["x", "reference"].source == "the profile of 2026-01-02 (week.jsonl)"
    assert found["kind", "reference"].shares == {"a": 1.0}


def test_when_a_drift_is_over_with_a_new_level_that_is_the_reference_of_its_features() -> None:
    samples = Samples(config(), None, is_new=True)
    samples.take(events(0, 100, 0.0), (), 1.0, ONCE_PER_LOOK)
    told(samples)
    samples.drifts({"i": frozenset({"x"})}, frozenset())
    samples.take(events(100, 5000, 9.0), (), 2.0, ONCE_PER_LOOK)
    assert ("x", "reference") not in told(samples), "it is compared with what was usual before"

    samples.drifts({}, frozenset({"i"}))
    found = told(samples)

    assert found["x", "reference"].source == "what is usual since a drift was over at 2026-01-01 00:00 UTC"
    assert ("kind", "reference") not in found


def test_when_a_drift_is_over_because_all_is_as_before_the_reference_stays() -> None:
    samples = Samples(config(), None, is_new=True)
    samples.take(events(0, 100, 0.0), (), 1.0, ONCE_PER_LOOK)
    told(samples)
    samples.drifts({"i": frozenset({"x"})}, frozenset())
    samples.drifts({}, frozenset())

    assert ("x", "reference") not in told(samples)


def predictions(first: int, n: int, share: float, version: int = 1) -> list[Prediction]:
    return [
        Prediction(
            id=str(number), key=None, ts=float(number), prediction=share > 0.5,
            probabilities={"true": share, "false": 1.0 - share}, model="m", model_version=version, latency_ms=1.0,
            partition=0, offset=number,
        )
        for number in range(first, first + n)
    ]  # fmt: skip


def test_what_is_predicted_is_sampled_as_detectors_see_it() -> None:
    samples = Samples(config(), None, is_new=True)
    samples.take(events(0, 1000, 0.0), predictions(0, 1000, 0.8), 1.0, ONCE_PER_LOOK)

    found = told(samples)

    assert found["score", "current"].quantiles[10] == found["score", "reference"].quantiles[10] == 0.8
    assert found["class", "reference"].shares == {"true": 1.0}
    assert found["score", "reference"].source == "the first 1,000 predictions of version 1"


def test_another_version_has_a_reference_of_its_own() -> None:
    samples = Samples(config(), None, is_new=False)
    samples.take(events(0, 1000, 0.0), predictions(0, 1000, 0.8), 1.0, ONCE_PER_LOOK)
    assert ("score", "reference") not in told(samples), "nobody knows what it said at first"

    mixed = [*predictions(1000, 100, 0.8), *predictions(1100, 1000, 0.1, version=2)]
    samples.take(events(1000, 1100, 0.0), mixed, 2.0, ONCE_PER_LOOK)
    found = told(samples)

    assert found["score", "reference"].source == "the first 1,000 predictions of version 2"
    assert found["score", "reference"].quantiles[-1] == found["score", "current"].quantiles[-1] == 0.1


def test_a_feature_that_is_called_as_a_part_of_the_prediction_is_told_of_itself() -> None:
    named = small_config({"events": {"features": {"score": {"type": "number"}}}})
    samples = Samples(named, None, is_new=True)
    samples.take([event(n, {"score": 7.0}) for n in range(50)], predictions(0, 50, 0.8), 1.0, ONCE_PER_LOOK)

    assert told(samples)["score", "current"].quantiles[0] == 7.0


ROLLING = {"kind": "ks", "reference": 100, "window": 50, "every": 10, "rolling": {"gap": 150, "step": 10}}


def rolled(seen: int, *, cut: int = 40, **detectors: object) -> Distribution:
    """The reference of x, whose n-th value is n, once so many have come."""
    samples = Samples(small_config({"detectors": {"data": [ROLLING], **detectors}}), None, is_new=True)
    found = dict[tuple[str, str], Distribution]()
    for first in range(0, seen, cut):
        rows = [event(n, {"x": float(n), "kind": "a"}) for n in range(first, min(first + cut, seen))]
        samples.take(rows, (), float(first), ONCE_PER_LOOK)
        found |= told(samples)
    return found["x", "reference"]


def test_a_reference_that_rolls_moves_on_behind_the_window() -> None:
    assert rolled(280).source == "the first 100 events of the partition"
    moved = rolled(1000)
    assert moved.source == "a stretch that moves on, from 200 values before the newest"
    assert (moved.quantiles[0], moved.quantiles[-1]) == (700.99, 798.01)


def test_a_reference_that_rolls_is_the_same_wherever_spans_are_cut() -> None:
    assert rolled(1000).quantiles == rolled(1000, cut=7).quantiles == rolled(1000, cut=1000).quantiles


def test_of_a_long_reference_that_rolls_rows_are_taken_evenly_wherever_spans_are_cut() -> None:
    long = [ROLLING | {"reference": 1000}]
    whole, cut = rolled(3000, cut=3000, data=long), rolled(3000, cut=7, data=long)
    assert whole.n == 334
    assert whole.quantiles == cut.quantiles


def test_of_a_long_way_back_not_more_is_kept_than_of_a_short_one() -> None:
    behind = Behind[int](Plan(100, frozenset("x"), 100, 64_000), lambda: Table(Columns(("x",), ())))
    behind.take(range(70_000), lambda n: {"x": float(n)})
    assert [(start, table.n) for start, table in behind.due()] == [(1000 * n, 334) for n in range(6)]


def test_what_another_detector_compares_with_its_first_values_does_not_move() -> None:
    assert rolled(1000, data=[ROLLING, {"kind": "psi", "reference": 100}]).source.startswith("the first 100 events")


def test_a_reference_that_rolls_stays_while_its_feature_drifts_and_begins_anew_when_that_has_settled() -> None:
    samples = Samples(small_config({"detectors": {"data": [ROLLING]}}), None, is_new=True)
    before = [event(n, {"x": 1.0, "kind": "a"}) for n in range(400)]
    samples.take(before, (), 1.0, ONCE_PER_LOOK)
    told(samples)
    samples.drifts({"i": frozenset({"x"})}, frozenset())
    samples.take([event(n, {"x": 9.0, "kind": "a"}) for n in range(1000)], (), 2.0, ONCE_PER_LOOK)
    assert ("x", "reference") not in told(samples)

    samples.drifts({}, frozenset({"i"}))
    assert told(samples)["x", "reference"].source.startswith("what is usual since")
    samples.take([event(n, {"x": 9.0, "kind": "a"}) for n in range(200)], (), 3.0, ONCE_PER_LOOK)
    assert ("x", "reference") not in told(samples), "what is far enough behind is from the drift"
    samples.take([event(n, {"x": 8.0, "kind": "a"}) for n in range(600)], (), 4.0, ONCE_PER_LOOK)
    assert told(samples)["x", "reference"].source.startswith("a stretch that moves on")
