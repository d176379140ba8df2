"""One drift, one alert: what belongs together, what is told beside it, when it is over, and how that is told."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterable, Mapping

import pytest
from msgspec import structs

from detectors.base import Reading, State
from stream.config.model import Config
from stream.core.endings import CALM, FEWEST_ERRORS, FEWEST_EVENTS, QUIET
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.incidents import BLOCK, MOST, Incidents, Place
from stream.core.levels import Errors
from stream.core.pending import Waiting
from stream.records import Alert, Change, Event, Label, Span, Swap, Window
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import DETECT, alerts, stream
from tests.unit.core.test_cuts import one_by_one, spans

WINDOW = 300
"""Values in the window of a detector, and events between two looks at what has drifted."""

FAR = 5000
"""Events after which nothing that was found before them is under way."""


def drift(
    n: int,
    feature: str | None = "temp",
    *,
    detector: str = "ks",
    segment: str | None = None,
    levels: tuple[float, float] = (10.0, 20.0),
    direction: str = "up",
    over: float = 1.5,
    window: int = WINDOW,
    began: int | None = None,
    profiles: tuple[dict[str, float], dict[str, float]] | tuple[None, None] = (None, None),
) -> Alert:
    """What a detector would say after n values of a change that began so many values ago."""
    return Alert(
        id=f"{detector}-{feature}-{n}",
        ts=float(n),
        kind="concept_drift" if feature is None else "data_drift",
        severity="critical" if feature is None else "warning",
        model="small",
        model_version=1,
        partition=0,
        offset=n,
        detector=detector,
        feature=feature,
        segment=segment,
        direction="worse" if feature is None else direction,
        before=levels[0],
        after=levels[1],
        statistic=over,
        threshold=1.0,
        change=None if began is None else Change(began),
        reference=Window(1000, profile=profiles[0]),
        current=Window(window, profile=profiles[1]),
    )


def place(n: int) -> Place:
    """After n values, one a second."""
    return Place(n, n, float(n))


class Task:
    """Incidents with what a task tells them."""

    def __init__(self, cooldown: float = 0.0) -> None:
        self.incidents = Incidents(cooldown)
        self.readings: dict[tuple[str, str], Reading] = {}
        self.labels = 0

    def found(self, n: int, *drifts: Alert) -> list[Alert]:
        """The block that ends after n events, with these drifts in it."""
        for one in drifts:
            self.incidents.found(one, n)
        return self.incidents.block_ended(place(n), lambda: self.readings)

    def erring(self, errors: Iterable[float], **features: str) -> list[Alert]:
        """Labels that tell of these errors, on events with these features."""
        told = []
        for error in errors:
            self.labels += 1
            waiting = Waiting(dict(features), 1, float(self.labels), self.labels, error=error)
            told += self.incidents.erred([waiting], lambda _: (self.labels, float(self.labels)))
        return told

    def misled(self, **known: object) -> list[Alert]:
        """A concept detector alarms at the newest label."""
        alert = drift(self.labels, None, **known)  # type: ignore[arg-type]
        return self.incidents.misled(alert, place(self.labels), lambda: self.readings)


def errors(rate: float, n: int) -> list[float]:
    """n errors of 0 and 1 of which this share, spread evenly, are 1."""
    return [float(int((i + 1) * rate) - int(i * rate)) for i in range(n)]


def task_in_a_drift(before: float = 0.2, after: float = 0.5, took: int = 320) -> Task:
    """A task in a concept drift that was found so many labels after it began, and told."""
    task = Task()
    task.erring(errors(before, 960))
    task.erring(errors(after, took))
    (told,) = task.misled(began=took)
    assert (told.state, told.incident, told.since) == ("open", told.id, None)
    return task


# what belongs together


def test_features_that_change_together_are_one_alert() -> None:
    task = Task()

    first = task.found(1000, drift(990, "temp"), drift(1000, "humid", over=2.0))
    later = task.found(1000 + BLOCK, drift(1000 + BLOCK, "wind"))

    assert [(a.feature, a.state) for a in first] == [("temp", "open")]
    assert [(c.feature, c.over) for c in first[0].contributors] == [("temp", 1.5), ("humid", 2.0)]
    assert later == []


def test_another_detector_on_the_same_feature_raises_no_alert_however_late() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp"))

    assert task.found(1000 + FAR, drift(1000 + FAR, "temp", detector="psi")) == []


def test_a_segment_that_changes_with_the_whole_stream_is_part_of_the_same_drift() -> None:
    task = Task()

    (told,) = task.found(
        1000, drift(1000, "temp"), drift(1000, "temp", detector="apart", segment="country=US", over=3.0)
    )

    assert [(c.feature, c.segment) for c in told.contributors] == [("temp", None), ("temp", "country=US")]


@pytest.mark.parametrize(
    ("window", "began", "later", "alone"),
    [
        (300, None, 300, False),  # found within a window's length of the alert
        (300, None, 325, True),
        (300, 50, 300, False),
        (300, 400, 400, False),  # began before the alert
        (300, 375, 400, True),
        (20, 20, 300, False),  # within the window that gave the alert
        (900, 50, 400, False),  # within its own window
    ],
)
def test_a_change_that_began_after_the_alert_is_another_drift(
    window: int, began: int | None, later: int, alone: bool
) -> None:
    task = Task()
    (first,) = task.found(1000, drift(1000, "temp"))

    told = task.found(1000 + later, drift(1000 + later, "dest", window=window, began=began))

    assert [a.feature for a in told] == (["dest"] if alone else [])
    assert all(a.incident != first.incident for a in told)


@pytest.mark.parametrize(
    ("began_before", "rate", "told"),
    [
        (True, 0.2, 0),  # a slow detector has seen the drift that is over
        (False, 0.2, 1),
        (True, 0.5, 1),  # errors have risen again meanwhile
    ],
)
def test_a_detector_that_finds_a_drift_when_it_is_over_raises_no_alert(
    began_before: bool, rate: float, told: int
) -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    opened = task.labels
    assert [a.state for a in task.erring(errors(0.2, 640))] == ["recovered"]
    task.erring(errors(rate, 320))

    found = task.misled(detector="slow", began=task.labels - opened + (100 if began_before else -1))

    assert [a.state for a in found] == ["open"] * told


def test_kinds_of_drift_are_told_apart() -> None:
    task = task_in_a_drift()

    assert [a.kind for a in task.found(task.labels, drift(task.labels, "temp"))] == ["data_drift"]
    assert task.incidents.count() == {"concept_drift": 1, "data_drift": 1}


def test_drifts_of_two_kinds_in_one_block_do_not_name_each_other() -> None:
    score = structs.replace(drift(1000, "score"), kind="prediction_drift")

    told = Task().found(1000, drift(1000, "temp"), score)

    assert [(a.kind, [c.feature for c in a.contributors]) for a in told] == [
        ("data_drift", ["temp"]),
        ("prediction_drift", ["score"]),
    ]


# what is told beside it


def test_features_near_an_alarm_are_named_beside_the_one_that_alarmed() -> None:
    task = Task()
    task.readings = {
        ("ks", "humid"): Reading(State.STABLE, statistic=0.9, threshold=1.0, before=3.0, after=4.0),
        ("ks", "wind"): Reading(State.STABLE, statistic=0.5, threshold=1.0),
        ("ks", "warming"): Reading(State.WARMUP),
        ("adwin", ""): Reading(State.STABLE, statistic=0.9, threshold=1.0),
    }

    (told,) = task.found(1000, drift(1000, "temp"))

    assert [(c.feature, c.over) for c in told.contributors] == [("temp", 1.5), ("humid", 0.9)]
    assert (told.contributors[1].before, told.contributors[1].after) == (3.0, 4.0)


def test_an_alert_names_five_at_most_the_clearest_and_each_feature_once() -> None:
    task = Task()
    others = [drift(1000, f"x{n}", over=1.0 + n / 10) for n in range(8)]

    (told,) = task.found(1000, drift(1000, "temp", over=1.1), drift(1000, "x7", detector="psi", over=9.0), *others)

    assert len(told.contributors) == MOST
    assert [(c.detector, c.feature) for c in told.contributors] == [
        ("ks", "temp"),
        ("psi", "x7"),
        ("ks", "x6"),
        ("ks", "x5"),
        ("ks", "x4"),
    ]


def test_a_concept_drift_names_the_features_that_drift_at_the_time() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp", over=4.0))
    task.readings = {("ks", "humid"): Reading(State.STABLE, statistic=0.8, threshold=1.0)}

    (told,) = task.misled()

    assert [(c.detector, c.feature) for c in told.contributors] == [("ks", None), ("ks", "temp"), ("ks", "humid")]


def test_a_detector_that_watches_segments_apart_is_named_with_a_segment_only() -> None:
    task = Task()
    task.readings = {("ks", "temp"): Reading(State.DRIFT, statistic=2.0, threshold=1.0)}

    (told,) = task.found(1000, drift(1000, "temp", segment="country=US"))

    assert [(c.feature, c.segment) for c in told.contributors] == [("temp", "country=US")]


def test_a_drift_of_all_features_together_is_named_beside_a_concept_drift() -> None:
    task = Task()
    whole = structs.replace(drift(1000, "any", detector="multivariate"), feature=None)
    task.found(1000, whole, drift(1000, "temp"))

    (told,) = task.misled()

    assert [(c.detector, c.feature) for c in told.contributors] == [
        ("ks", None),
        ("multivariate", None),
        ("ks", "temp"),
    ]


def test_a_concept_drift_does_not_name_features_that_have_become_their_references() -> None:
    task = Task()
    task.readings = {("ks", "temp"): stable(20.0), ("ks", "humid"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, "temp"), drift(1000, "humid"))
    task.found(1000 + WINDOW)

    (told,) = task.misled()

    assert [c.feature for c in told.contributors] == [None, "humid"]


def test_a_detector_that_alarms_below_its_threshold_tells_no_multiple_of_it() -> None:
    (told,) = Task().misled(over=0.9)

    assert told.contributors[0].over is None


# when it is over: errors


def test_errors_that_are_back_are_a_recovery_with_its_duration() -> None:
    task = task_in_a_drift(0.2, 0.5)
    began = task.labels

    (told,) = task.erring(errors(0.22, 2 * FEWEST_ERRORS))

    assert (told.kind, told.state, told.severity, told.direction) == ("concept_drift", "recovered", "info", "better")
    assert told.before == pytest.approx(0.5)
    assert told.after == pytest.approx(0.22, abs=0.01)
    assert (told.since, told.duration) == (float(began), told.ts - began)
    assert told.incident == f"ks-None-{began}" != told.id
    assert (told.statistic, told.threshold, told.change, told.action) == (None, None, None, "none")
    assert task.incidents.count() == {}


def test_errors_that_stay_are_settled_after_so_many_blocks_without_an_alarm() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    began = task.labels

    assert task.erring(errors(0.5, QUIET * 320 - 1)) == []
    (told,) = task.erring([1.0])

    assert (told.state, told.direction, told.duration) == ("settled", "worse", QUIET * 320.0)
    assert told.before == pytest.approx(0.2)
    assert told.after == pytest.approx(0.5, abs=0.01)
    assert told.since == began


def test_the_first_block_tells_where_a_drift_that_was_found_early_has_led_to() -> None:
    task = task_in_a_drift(0.2, 0.3, took=32)

    assert task.erring(errors(0.9, FEWEST_ERRORS)) == []
    (told,) = task.erring(errors(0.4, FEWEST_ERRORS))

    assert told.state == "recovered", "0.4 is back from 0.9, not from 0.3"
    assert told.before == pytest.approx(0.9, abs=0.01)


def test_another_alarm_does_not_put_off_the_end_of_the_first_block() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, 319))

    assert task.misled(began=320) == []
    assert task.erring([0.0, *errors(0.2, 319)]) == []
    assert [a.state for a in task.erring([0.0])] == ["recovered"]


def test_another_alarm_puts_off_that_errors_have_settled() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, QUIET * 320 - 1))

    assert task.misled(began=320) == []
    assert task.erring(errors(0.5, QUIET * 320 - 1)) == []
    assert [a.state for a in task.erring([1.0])] == ["settled"]


def test_a_small_rise_takes_more_errors_to_tell_back_from_not_back() -> None:
    task = task_in_a_drift(0.2, 0.25, took=320)

    recovered = task.erring(errors(0.2, 20_000))[0]

    assert recovered.state == "recovered"
    assert recovered.duration is not None
    assert recovered.duration > 2000, "36 variances over the square of the rise"


def test_how_far_errors_rose_is_measured_on_them_and_not_on_what_a_detector_makes_of_them() -> None:
    task = Task()
    task.erring(errors(0.2, 960))
    task.erring(errors(0.5, 320))
    task.misled(began=320, levels=(0.0, 0.1))

    (told,) = task.erring(errors(0.25, 400))

    assert told.state == "recovered"
    assert told.before == pytest.approx(0.5)


def test_where_errors_themselves_show_no_rise_the_detectors_levels_count() -> None:
    task = Task()
    task.erring(errors(0.3, 1280))
    task.misled(began=320, levels=(0.2, 0.5))

    assert [a.state for a in task.erring(errors(0.2, 640))] == ["recovered"]


def test_errors_of_late_are_known_however_many_there_have_been() -> None:
    track = Errors()
    for error in [0.0] * 140_000 + [1.0] * 640:
        track.add(error)

    assert track.newest(640) == (640, 1.0, 0.0)
    assert track.newest(1000, skipped=640) is not None
    assert track.newest(1000, skipped=640)[1] == 0.0  # type: ignore[index]


def test_a_new_champion_ends_a_drift_with_its_own_errors() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, 319))

    task.incidents.swapped()

    assert task.erring(errors(0.2, 319)) == []
    assert [a.state for a in task.erring([0.0])] == ["recovered"]


def test_what_was_usual_before_a_drift_are_the_errors_of_the_same_champion() -> None:
    task = Task()
    task.erring(errors(0.6, 960))
    task.incidents.swapped()
    task.erring(errors(0.1, 640) + errors(0.5, 320))
    task.misled(began=320)

    (told,) = task.erring(errors(0.5, QUIET * 320))

    assert told.before == pytest.approx(0.1, abs=0.01)


def test_errors_of_a_drift_of_unknown_size_settle_and_never_recover() -> None:
    task = Task()
    task.incidents.misled(drift(0, None, levels=(0.3, 0.3), window=0), place(0), dict)

    (told,) = task.erring(errors(0.0, 10 * FEWEST_ERRORS))

    assert (told.state, told.duration) == ("settled", QUIET * FEWEST_ERRORS)


def test_the_drift_of_a_segments_errors_ends_with_the_errors_of_that_segment() -> None:
    task = Task()
    task.erring(errors(0.2, 960))
    task.misled(segment="country=US", levels=(0.2, 0.5), window=100)

    assert task.erring(errors(0.1, 5 * FEWEST_ERRORS), country="DE") == []
    (told,) = task.erring(errors(0.2, FEWEST_ERRORS), country="US")

    assert (told.state, told.segment, told.before) == ("recovered", "country=US", 0.5)


def test_the_drift_of_errors_in_the_segment_of_all_other_values_settles() -> None:
    task = Task()
    task.misled(segment="country=(other)", levels=(0.2, 0.5), window=100)

    assert [a.state for a in task.erring(errors(0.1, QUIET * FEWEST_ERRORS), country="XY")] == ["settled"]


# when it is over: features


def stable(level: float) -> Reading:
    return Reading(State.STABLE, statistic=0.1, threshold=1.0, before=level, after=level)


def test_a_feature_that_has_become_its_reference_has_settled_after_a_window_of_it() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0), window=800))
    told = []

    for n in range(1000, 6000, BLOCK):
        task.readings = {("ks", "temp"): stable(21.0) if n >= 3000 else Reading(State.WARMUP)}
        told += task.found(n)

    assert [(a.state, a.severity, a.direction, a.before, a.after) for a in told] == [
        ("settled", "info", "up", 10.0, 21.0)
    ]
    assert told[0].since == 1000.0
    assert told[0].ts == 1000 + 800 * (3 + CALM - 1), "reviews are a window apart; the third is the first to find it so"


def test_a_small_window_is_not_looked_at_more_often_than_every_hundred_events() -> None:
    task = Task()
    task.found(1000, drift(1000, window=10))
    task.readings = {("ks", "temp"): stable(20.0)}

    told = [a for n in range(1000 + BLOCK, 3000, BLOCK) for a in task.found(n)]

    assert [(a.state, a.ts) for a in told] == [("settled", 1000.0 + CALM * FEWEST_EVENTS)]


def test_a_drift_is_not_over_before_all_that_took_part_is() -> None:
    task = Task()
    task.readings = {("ks", "temp"): stable(20.0), ("ks", "humid"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, "temp"), drift(1000, "humid"))

    assert [a for n in range(1000, 9000, BLOCK) for a in task.found(n)] == []
    task.readings["ks", "humid"] = stable(20.0)
    (told,) = [a for n in range(9000, 11_000, BLOCK) for a in task.found(n)]

    assert told.state == "settled"
    assert {c.feature for c in told.contributors} == {"temp", "humid"}


def test_a_drift_is_over_when_some_of_it_is_back_and_the_rest_has_become_the_reference() -> None:
    task = Task()
    task.readings = {("ks", "temp"): Reading(State.WARMUP), ("ks", "humid"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, "temp"), drift(1000, "humid"))

    assert task.found(1300, drift(1300, "temp", levels=(20.0, 10.0))) == []
    task.readings["ks", "humid"] = stable(20.0)
    told = [a for n in range(1300 + BLOCK, 3000, BLOCK) for a in task.found(n)]

    assert [a.state for a in told] == ["settled"]


def test_what_took_part_is_named_in_the_end_as_it_was_at_its_clearest() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp"))
    task.found(1100, drift(1100, "temp", detector="psi", over=3.0), drift(1100, "humid", over=2.0))
    task.found(1200, drift(1200, "temp", over=1.2))

    told = task.found(2000, *(drift(2000, name, levels=(20.0, 10.0), over=1.1) for name in ("temp", "humid")))

    assert [(c.detector, c.feature, c.over) for c in told[0].contributors] == [
        ("psi", "temp", 3.0),
        ("ks", "humid", 2.0),
    ]


def test_a_feature_that_goes_back_recovers_as_soon_as_a_detector_sees_it() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))

    (told,) = task.found(4000, drift(4000, levels=(20.0, 11.0), direction="down"))

    assert (told.state, told.direction, told.before, told.after) == ("recovered", "down", 20.0, 11.0)
    assert (told.since, told.duration) == (1000.0, 3000.0)
    assert task.incidents.count() == {}


def test_a_feature_that_a_fixed_reference_finds_unchanged_again_has_recovered() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.readings = {("ks", "temp"): stable(10.5)}

    (told,) = task.found(1000 + WINDOW)

    assert (told.state, told.after) == ("recovered", 10.5)


def test_profiles_tell_that_a_change_of_shape_is_back() -> None:
    narrow, wide = {"p05": -1.0, "p50": 0.0, "p95": 1.0}, {"p05": -3.0, "p50": 0.0, "p95": 3.0}
    task = Task()
    task.found(1000, drift(1000, levels=(1.0, 3.0), direction="wider", profiles=(narrow, wide)))

    told = task.found(3000, drift(3000, levels=(0.0, 0.1), profiles=(wide, {**narrow, "p95": 1.5})))

    assert [(a.state, a.before, a.after) for a in told] == [("recovered", None, None)]


def test_a_mean_is_not_held_against_a_deviation() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(1.0, 3.0), direction="wider"))

    assert task.found(3000, drift(3000, levels=(0.0, 1.0), direction="up")) == []


def test_a_feature_that_moves_elsewhere_has_not_recovered() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))

    assert task.found(3000, drift(3000, levels=(20.0, 14.0), direction="down")) == []
    assert task.incidents.count() == {"data_drift": 1}


def test_what_the_worst_segment_reads_is_not_taken_for_the_level_of_another() -> None:
    task = Task()
    task.found(1000, drift(1000, segment="country=US", levels=(10.0, 20.0)))
    task.readings = {("ks", "temp"): stable(10.0)}

    assert task.found(1000 + WINDOW) == []
    assert [a.state for a in task.found(1000 + 2 * WINDOW)] == ["settled"]


def test_a_feature_that_is_no_longer_watched_does_not_keep_a_drift_open() -> None:
    task = Task()
    task.found(1000, drift(1000, "gone"))

    assert [a.state for n in range(1000, 3000, BLOCK) for a in task.found(n)] == ["settled"]


def test_the_same_feature_can_drift_again_after_its_drift_is_over() -> None:
    task = Task()
    (first,) = task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.found(4000, drift(4000, levels=(20.0, 10.0)))

    (second,) = task.found(9000, drift(9000, levels=(10.0, 20.0)))

    assert (second.state, second.since) == ("open", None)
    assert second.incident != first.incident


# what goes on, and what is held back


def test_a_drift_that_goes_on_by_as_much_as_it_was_is_told_once_per_rise() -> None:
    task = Task()
    (first,) = task.found(1000, drift(1000, levels=(10.0, 20.0)))
    told = []

    for n, level in enumerate([25.0, 29.0, 30.0, 35.0, 41.0], start=2):
        told += task.found(1000 * n, drift(1000 * n, levels=(20.0, level)))

    assert [(a.state, a.after, a.incident, a.since) for a in told] == [
        ("open", 30.0, first.id, 1000.0),
        ("open", 41.0, first.id, 1000.0),
    ]
    assert len({a.id for a in [first, *told]}) == 3


def test_errors_that_go_on_rising_by_as_much_are_told_again() -> None:
    task = task_in_a_drift(0.2, 0.4, took=320)

    task.erring(errors(0.4, 320) + errors(0.5, 320))
    assert task.misled(began=320) == []
    task.erring(errors(0.65, 320))
    (told,) = task.misled(began=320)

    assert (told.state, told.severity, told.since) == ("open", "critical", 1280.0)


def test_a_drift_that_is_seen_better_soon_after_its_alert_is_not_told_again() -> None:
    task = task_in_a_drift(0.2, 0.3, took=32)
    task.erring(errors(0.9, FEWEST_ERRORS - 1))

    assert task.misled(began=32) == []
    task.erring(errors(0.9, 3 * FEWEST_ERRORS))
    assert task.misled(began=320) == [], "the first block told where the drift has led to"

    features = Task()
    features.found(1000, drift(1000, levels=(10.0, 12.0), window=300))
    assert features.found(1300, drift(1300, levels=(10.0, 30.0))) == []
    assert features.found(4000, drift(4000, levels=(30.0, 32.0))) == []


def test_a_drift_within_the_cooldown_is_told_when_that_has_passed_if_it_is_still_there() -> None:
    task = Task(cooldown=10_000.0)
    task.readings = {("ks", "temp"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.found(2000, drift(2000, levels=(20.0, 10.0)))

    told = [a for n in range(3000, 15_000, BLOCK) for a in task.found(n, *([drift(n)] if n == 3000 else []))]

    assert [(a.id, a.state, a.since) for a in told] == [("ks-temp-3000", "open", None)]
    assert 11_000 <= told[0].ts <= 11_000 + WINDOW
    assert task.incidents.count() == {"data_drift": 1}


def test_a_drift_that_is_over_before_the_cooldown_has_passed_is_not_told_at_all() -> None:
    task = Task(cooldown=10_000.0)
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.found(2000, drift(2000, levels=(20.0, 10.0)))

    told = task.found(3000, drift(3000, levels=(10.0, 20.0))) + task.found(4000, drift(4000, levels=(20.0, 10.0)))

    assert told == []
    assert task.incidents.count() == {}


def test_a_drift_that_went_on_while_it_was_held_back_is_told_once() -> None:
    task = Task(cooldown=10_000.0)
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.found(2000, drift(2000, levels=(20.0, 10.0)))
    task.found(3000, drift(3000, levels=(10.0, 20.0), window=20_000))

    told = task.found(30_000 - BLOCK, drift(30_000 - BLOCK, levels=(20.0, 40.0)))

    assert [(a.id, a.since) for a in told] == [("ks-temp-3000", None)]


def test_the_cooldown_of_a_feature_does_not_hold_back_another() -> None:
    task = Task(cooldown=1e6)
    task.found(1000, drift(1000, "temp"))

    assert [a.feature for a in task.found(1000 + FAR, drift(1000 + FAR, "dest"))] == ["dest"]


# in a task


def test_drifts_that_are_not_told_start_challengers_all_the_same() -> None:
    flips = [*stream(600), *stream(600, start=600, flip_at=0), *stream(600, start=1200)]
    quiet = Engine(small_config({**DETECT, "alerts": {"cooldown": "30d"}}), 0)
    loud = Engine(small_config({**DETECT, "alerts": {"cooldown": 0}}), 0)

    told = {
        engine: [a for a in alerts(drive(engine, flips), "concept_drift") if not a.over] for engine in (quiet, loud)
    }

    assert (len(told[quiet]), len(told[loud])) == (1, 2)
    assert fingerprint(quiet.state.adaptation) == fingerprint(loud.state.adaptation)


def test_alerts_of_a_drift_that_is_adapted_to_end_with_the_new_champions_recovery() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"min_labels": 100, "margin": 0.05}}), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    told: list[Alert] = []
    for one in stream(2500, flip_at=600):
        span = Span([one], []) if isinstance(one, Event) else Span([], [one])
        effects, _, _ = engine.take(span, 1e9)
        told += alerts(effects, "concept_drift")
        if engine.proposal is not None:
            engine.command(Swap(engine.proposal.learner, engine.state.version + 1, "beat_champion"), 1e9)

    assert [a.state for a in told] == ["open", "recovered"]
    assert [a.model_version for a in told] == [1, engine.state.version]
    assert told[0].incident == told[1].incident == told[0].id


STORIES: Mapping[str, object] = {
    "labels": {"max_pending": 100},
    "detectors": {
        "concept": [{"kind": "page_hinkley", "threshold": 5}, {"kind": "ddm"}],
        "data": [
            {"kind": "ks", "reference": 100, "window": 60, "every": 7},
            {"kind": "wasserstein", "reference": 100, "window": 40, "every": 10},
        ],
    },
    "adaptation": {"policy": "alert_only"},
    "alerts": {"cooldown": "5m"},
}


def story(seed: int) -> list[Event | Label]:
    """A world that turns over for good, and one feature that moves away, back, and away for good."""
    rng = random.Random(seed)
    records: list[Event | Label] = []
    for n in range(3400):
        x = rng.uniform(-1, 1)
        moved = 3.0 if 800 <= n < 980 or n >= 2200 else 0.0
        records.append(event(n, {"x": x, "y": rng.gauss(moved, 1)}))
        records.append(label(n, (x > 0) != (1000 <= n < 1400 or n >= 2600)))
    return records


def storied() -> Config:
    return small_config({**STORIES, "events": {"features": {"x": {"type": "number"}, "y": {"type": "number"}}}})


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_beginnings_and_ends_of_drifts_do_not_depend_on_how_the_stream_is_cut(share: float) -> None:
    records = story(1)
    whole, cut = Engine(storied(), 0), Engine(storied(), 0)

    expected = [effect for span in one_by_one(records) for effect in whole.process(span, 1e9)]
    made = [effect for span in spans(records, random.Random(3), share) for effect in cut.process(span, 1e9)]

    told = [effect for effect in made if isinstance(effect, Alert)]
    assert told == [effect for effect in expected if isinstance(effect, Alert)]
    assert fingerprint(cut.state.incidents) == fingerprint(whole.state.incidents)
    assert {(a.kind, a.state) for a in told} == {
        ("data_drift", "open"),
        ("data_drift", "recovered"),
        ("data_drift", "settled"),
        ("concept_drift", "open"),
        ("concept_drift", "recovered"),
    }


def test_a_task_restored_amid_a_drift_tells_the_same_of_its_end() -> None:
    records = story(1)
    engine = Engine(storied(), 0)
    drive(engine, records[:1700], span=10)
    assert engine.state.incidents.count() == {"data_drift": 1}

    restored = Engine(engine.config, 0, pickle.loads(pickle.dumps(engine.state)))
    told, expected = (drive(one, records[1700:4000], span=10) for one in (restored, engine))

    assert [a for a in told if isinstance(a, Alert)] == [a for a in expected if isinstance(a, Alert)] != []
    assert fingerprint(restored.state.incidents) == fingerprint(engine.state.incidents)
