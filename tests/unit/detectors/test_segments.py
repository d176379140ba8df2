"""Segments: each is watched as if it were alone, every row is in one, and there are no more than configured."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from typing import Any

import pytest

from detectors.base import Row, Signal, State, Value
from detectors.concept.adwin import AdwinConfig
from detectors.data.ks import KsConfig
from detectors.data.missing_rate import MissingRateConfig
from detectors.segments import MISSING, OTHER, SegmentedErrors, SegmentedFeatures
from detectors.settings import SegmentsConfig
from detectors.watch import watch_errors, watch_features

COUNTRIES = ["NZ", "US", "DE", None]
SMALL = {"reference": 100, "window": 50, "every": 10}


def rows(n: int, *, moves: Sequence[str] = ("US",), after: int = 1200) -> list[Row]:
    """Rows of four countries in turns at random, of which some change at a row."""
    rng = random.Random(11)
    made: list[Row] = []
    for i in range(n):
        country = rng.choice(COUNTRIES)
        made.append({"x": rng.gauss(4 if country in moves and i >= after else 0, 1), "country": country})
    return made


def errors_of(stream: Sequence[Row]) -> list[float]:
    values = [row["x"] for row in stream]
    return [float(isinstance(x, float) and x > 1.5) for x in values]


def features(most: int = 20) -> SegmentedFeatures:
    config = KsConfig.model_validate({**SMALL, "segments": {"by": "country", "most": most}})
    watch = watch_features(config, ("x",), ("country",))
    assert isinstance(watch, SegmentedFeatures)
    return watch


def errors(most: int = 20) -> SegmentedErrors:
    watch = watch_errors(AdwinConfig.model_validate({"segments": {"by": "country", "most": most}}))
    assert isinstance(watch, SegmentedErrors)
    return watch


def seen(watch: SegmentedFeatures, stream: Sequence[Row], cut: int = 7) -> list[Signal]:
    found: list[Signal] = []
    for start in range(0, len(stream), cut):
        part = stream[start : start + cut]
        signals = watch.observe(part, [0.0] * len(part))
        found += [signal._replace(index=start + signal.index) for signal in signals]
    return found


def alone(stream: Sequence[Row], country: str | None) -> list[tuple[int, Any]]:
    """What a detector says that sees the rows of one country only, at their places in the whole stream."""
    own = [(index, row) for index, row in enumerate(stream) if row["country"] == country]
    watch = watch_features(KsConfig.model_validate(SMALL), ("x",), ())
    assert watch is not None
    return [(own[s.index][0], s.reading) for s in watch.observe([row for _, row in own], [0.0] * len(own))]


@pytest.mark.parametrize("cut", [1, 7, 5000])
def test_a_segment_is_watched_as_if_it_were_alone_wherever_spans_are_cut(cut: int) -> None:
    stream = rows(2500, moves=("NZ", "US"))

    found = seen(features(), stream, cut)

    for country, name in zip(COUNTRIES, ["NZ", "US", "DE", MISSING], strict=True):
        of_it = [(s.index, s.reading) for s in found if s.segment == f"country={name}"]
        assert of_it == alone(stream, country), country
    assert {s.segment for s in found if s.reading.state is State.DRIFT} == {"country=NZ", "country=US"}
    assert [s.index for s in found] == sorted(s.index for s in found)


@pytest.mark.parametrize("cut", [1, 7, 5000])
def test_a_signal_says_how_many_rows_of_the_whole_stream_back_its_windows_begin(cut: int) -> None:
    stream = rows(2500)
    of_it = [index for index, row in enumerate(stream) if row["country"] == "US"]

    (drift,) = (s for s in seen(features(), stream, cut) if s.reading.state is State.DRIFT)

    own = [drift.index + 1 - index for index in of_it if index <= drift.index][::-1]  # rows back, the newest first
    assert drift.reading.changed_n is not None
    assert drift.behind.changed is not None
    assert drift.behind.changed == pytest.approx(own[drift.reading.changed_n - 1], abs=40)
    assert drift.behind.current == pytest.approx(own[drift.reading.current_n - 1], abs=40)
    assert drift.behind.reference is not None
    assert drift.behind.reference[0] == pytest.approx(own[-1], abs=40)
    assert drift.behind.reference[1] == pytest.approx(own[-100], abs=40)
    assert drift.index + 1 - drift.behind.changed == pytest.approx(1200, abs=60)


def test_errors_of_a_segment_are_watched_as_if_it_were_alone() -> None:
    stream = rows(3000, after=1500)
    own = [row for row in stream if row["country"] == "US"]
    by_itself = watch_errors(AdwinConfig())

    found = errors().observe(errors_of(stream), stream, [0.0] * len(stream))

    expected = by_itself.observe(errors_of(own), own, [0.0] * len(own))
    assert [s.reading for s in found if s.segment == "country=US"] == [s.reading for s in expected]
    assert {s.segment for s in found} == {"country=US"}


def test_values_beyond_the_most_are_watched_together_and_missing_ones_have_their_own() -> None:
    stream = [{"x": 0.0, "country": c} for c in ("NZ", None, "US", "DE", "FR", "NZ", OTHER)]
    watch = features(most=2)

    names = [name for row in stream for name in [watch._segment_of(row)]]

    assert names == ["NZ", MISSING, "US", OTHER, OTHER, "NZ", OTHER]
    assert len(watch._segments) == 4


@pytest.mark.parametrize(("value", "name"), [(True, "true"), (False, "false"), (3, "3"), (float("nan"), MISSING)])
def test_every_value_is_in_a_segment(value: Value, name: str) -> None:
    assert features()._segment_of({"country": value}) == name


def test_a_row_without_the_feature_is_in_the_segment_of_missing_values() -> None:
    assert features()._segment_of({"x": 1.0}) == MISSING


def test_what_is_shown_of_segments_is_that_of_the_one_that_matters_most() -> None:
    watch, stream = features(), rows(2500)
    drift = next(s for s in seen(features(), stream, 1) if s.reading.state is State.DRIFT)

    seen(watch, stream[: drift.index + 1], 1)

    assert watch.readings() == {"x": drift.reading._replace(segment=drift.segment)}


def test_a_segment_that_has_drifted_matters_more_than_a_larger_change_that_is_no_drift_in_another() -> None:
    config = MissingRateConfig(reference=200, window=100, every=1, alpha=0.05, segments=SegmentsConfig(by="country"))
    watch = watch_features(config, ("x",), ())
    assert watch is not None

    def show(country: str, missing: int, present: int) -> None:
        part: list[Row] = [{"x": None, "country": country}] * missing + [{"x": 1.0, "country": country}] * present
        watch.observe(part, [0.0] * len(part))

    show("US", 100, 100)
    show("US", 58, 42)
    show("NZ", 0, 200)
    show("NZ", 0, 94)
    show("NZ", 6, 0)

    reading = watch.readings()["x"]
    assert (reading.state, reading.before, reading.after) == (State.DRIFT, 0.0, 0.06)


def test_before_the_first_row_there_are_readings_of_a_warm_up() -> None:
    assert {name: reading.state for name, reading in features().readings().items()} == {"x": State.WARMUP}
    assert {name: reading.state for name, reading in errors().readings().items()} == {"": State.WARMUP}


def test_a_saved_watch_goes_on_as_it_would_have() -> None:
    stream, lived, saved = rows(2500), features(), features()
    seen(lived, stream[:900])
    seen(saved, stream[:900])

    restored = pickle.loads(pickle.dumps(saved))

    assert seen(restored, stream[900:]) == seen(lived, stream[900:])


def test_after_a_reset_it_is_as_newly_made() -> None:
    stream, used = rows(2500), features(most=2)
    seen(used, [{**row, "country": "FR"} for row in stream])

    used.reset()

    assert seen(used, stream) == seen(features(most=2), stream)


def test_a_profile_gives_each_segment_its_own_reference_and_says_what_one_lacks() -> None:
    watch, usual = features(most=3), rows(900)
    of = {country: [row for row in usual if row["country"] == country] for country in COUNTRIES}
    profile = [*of["NZ"][:60], *of["US"], *of["DE"][:30], *of[None]]
    seen(watch, [{"x": 9.0, "country": country} for country in ("FR", "US", "BR")])  # which are forgotten
    assert watch.preset(profile, [0.0] * len(profile)) == {"x": 70}
    stream = rows(400, after=0)
    assert {signal.segment for signal in seen(watch, stream) if signal.reading.state is State.DRIFT} == {"country=US"}
