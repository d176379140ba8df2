"""One drift, one alert: what belongs together, what is told beside it, and what is held back."""

from __future__ import annotations

import pytest
from msgspec import structs

from detectors.base import Behind, Reading, State
from stream.core.endings import FEWEST_ERRORS
from stream.core.incidents import BLOCK, MOST
from tests.unit.core.drifting import FAR, WINDOW, Task, drift, errors, stable, task_in_a_drift

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


def test_a_segment_of_what_has_drifted_as_a_whole_is_no_news_however_late_it_is_found() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp"))

    assert task.found(1000 + FAR, drift(1000 + FAR, "temp", detector="apart", segment="country=US")) == []


def test_what_drifts_in_one_segment_after_another_is_another_drift() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp", segment="country=US"))

    (told,) = task.found(1000 + FAR, drift(1000 + FAR, "temp", segment="country=DE"))

    assert told.segment == "country=DE"


def test_a_change_that_was_under_way_belongs_to_the_drift_though_few_events_have_a_value() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp"))
    late = drift(2000, "humid", segment="country=US", window=100)

    task.incidents.found(late, 2000, Behind(1100, 1200, None))

    assert task.found(2000) == []


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
    task.readings = {("ks", "temp"): Reading(State.DRIFT, statistic=2.0, threshold=1.0, segment="country=US")}

    (told,) = task.found(1000, drift(1000, "temp", segment="country=US"))

    assert [(c.feature, c.segment) for c in told.contributors] == [("temp", "country=US")]


def test_a_segment_near_an_alarm_is_named_beside_the_feature_as_a_whole() -> None:
    task = Task()
    task.readings = {("apart", "temp"): Reading(State.STABLE, statistic=0.9, threshold=1.0, segment="country=US")}

    (told,) = task.found(1000, drift(1000, "temp"))

    assert [(c.detector, c.segment, c.over) for c in told.contributors] == [
        ("ks", None, 1.5),
        ("apart", "country=US", 0.9),
    ]


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
