"""Records that cannot be used: a rise of their share is told once for each topic, with the commonest reason, and so is
its end.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from typing import Any

import pytest

from detectors.base import State
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.records import Alert, Event, Label, Rejected, Span
from stream.testing import event, label, small_config

NOW = 1e9


def refused(topic: str, n: int, reason: str = "wrong_type", *, time: float | None = None) -> Rejected:
    return Rejected(topic, 0, n, n + 0.5 if time is None else time, reason, "...")


def spans(records: list[Event | Label | Rejected], size: int) -> Iterator[Span]:
    """All records in spans of so many."""
    for start in range(0, len(records), size):
        part = records[start : start + size]
        yield Span(
            [one for one in part if isinstance(one, Event)],
            [one for one in part if isinstance(one, Label)],
            [one for one in part if isinstance(one, Rejected)],
        )


def quality(engine: Engine, records: list[Event | Label | Rejected], size: int = 50) -> list[Alert]:
    effects = [effect for span in spans(records, size) for effect in engine.process(span, NOW)]
    return [one for one in effects if isinstance(one, Alert) and one.kind == "data_quality"]


def with_labels(n: int, usable: bool, *, start: int = 0, reason: str = "wrong_type") -> list[Event | Label | Rejected]:
    """Events with a label each, which can be used or not."""
    made: list[Event | Label | Rejected] = []
    for i in range(start, start + n):
        made += [event(i, {"x": 0.5}), label(i, True) if usable else refused("labels", i, reason)]
    return made


def labels(n: int, share: float, *, start: int) -> list[Event | Label | Rejected]:
    """Labels of which this share, spread evenly, cannot be used."""
    bad = [int((i + 1) * share) > int(i * share) for i in range(start, start + n)]
    return [refused("labels", i) if one else label(i, True) for i, one in enumerate(bad, start)]


def engine(cooldown: float = 0.0, **detectors: Any) -> Engine:
    return Engine(small_config({"detectors": detectors, "alerts": {"cooldown": cooldown}}), 0)


def test_a_service_all_of_whose_labels_are_refused_says_so_once() -> None:
    (alert,) = quality(engine(), with_labels(3000, usable=False))

    assert (alert.severity, alert.detector, alert.feature, alert.detail) == (
        "warning",
        "rejected",
        "labels",
        "wrong_type",
    )
    assert (alert.direction, alert.before, alert.after) == ("up", 0.01, 1.0)
    assert alert.offset < 5
    assert alert.ts == alert.offset + 0.5
    assert alert.expected_events_per_false_alarm == 1e6


def test_a_topic_that_goes_bad_later_is_told_of_with_when_it_began_and_the_commonest_reason_since() -> None:
    records = [refused("labels", i, "malformed_json") if i % 200 == 0 else label(i, True) for i in range(4000)]
    records += [refused("labels", i, "bad_label" if i % 3 else "empty_value") for i in range(4000, 4300)]

    (alert,) = quality(engine(), [*records])

    assert 4000 < alert.offset < 4010
    assert alert.detail == "bad_label"
    assert alert.current is not None
    assert 3960 <= (alert.current.first_offset or 0) <= 4000
    assert (alert.current.last_offset, alert.current.last_ts) == (alert.offset, alert.offset + 0.5)


def test_a_topic_that_has_recovered_says_so_once() -> None:
    watched = engine()

    begun, over = quality(watched, labels(1000, 1.0, start=0) + labels(20_000, 0.005, start=1000))

    assert (begun.state, begun.incident, begun.contributors[0].feature) == ("open", begun.id, "labels")
    assert (over.state, over.incident, over.since, over.severity) == ("recovered", begun.id, begun.ts, "info")
    assert (over.direction, over.before, over.detail) == ("down", 1.0, None)
    assert (over.after or 0.0) < 0.02
    assert 1200 <= over.offset <= 1600
    assert (over.ts, over.duration) == (over.offset + 0.5, over.ts - begun.ts)
    assert watched.state.rejections.count() == {}


def test_a_topic_that_has_recovered_can_be_told_of_again() -> None:
    records = labels(50, 1.0, start=0) + labels(950, 0.0, start=50)

    found = quality(engine(), records + labels(20, 1.0, start=1000))

    assert [(alert.state, alert.offset < 1000) for alert in found] == [
        ("open", True),
        ("recovered", True),
        ("open", False),
    ]


def test_a_share_that_is_here_to_stay_becomes_what_is_usual_and_a_further_rise_is_told() -> None:
    watched = engine()

    begun, over = quality(watched, labels(140_000, 0.04, start=0), size=5000)
    (further,) = quality(watched, labels(1000, 0.5, start=140_000))

    assert (begun.state, over.state, over.incident) == ("open", "settled", begun.id)
    assert over.before == 0.01
    assert over.after == pytest.approx(0.04, abs=0.002)
    assert (further.state, further.incident) == ("open", further.id)
    assert 0.04 < (further.before or 0.0) < 0.08


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_topic_of_which_most_is_rejected_is_told_of_until_it_has_recovered(share: float) -> None:
    watched = engine()

    begun = quality(watched, labels(40_000, share, start=0), size=5000)
    standing = watched.state.rejections.worse()
    over = quality(watched, labels(2000, 0.0, start=40_000))

    assert ([alert.state for alert in begun], standing) == (["open"], ["labels"])
    assert [alert.state for alert in over] == ["recovered"]
    assert watched.state.rejections.worse() == []


def test_a_share_that_falls_below_a_half_settles_when_that_has_lasted() -> None:
    begun, over = quality(engine(), labels(40_000, 0.9, start=0) + labels(60_000, 0.4, start=40_000), size=5000)

    assert (begun.state, over.state) == ("open", "settled")
    assert over.after == pytest.approx(0.4, abs=0.05)
    assert over.offset > 40_000 + 45 * 200


def test_a_share_that_rises_again_after_it_has_settled_lower_is_told() -> None:
    watched = engine()
    quality(watched, labels(10_000, 0.6, start=0) + labels(60_000, 0.4, start=10_000), size=5000)

    (again,) = quality(watched, labels(5000, 0.65, start=70_000))

    assert again.state == "open"
    assert 0.4 < (again.before or 0.0) < 0.6
    assert watched.state.rejections.worse() == ["labels"]


def test_a_share_that_falls_a_good_part_of_the_way_has_not_recovered() -> None:
    watched = engine()

    found = quality(watched, labels(1000, 1.0, start=0) + labels(5000, 0.1, start=1000))

    assert [alert.state for alert in found] == ["open"]
    assert watched.state.rejections.count() == {"data_quality": 1}


@pytest.mark.parametrize("n", [5000, 5100, 5200, 5300, 5400])
def test_a_recovery_is_told_soon_wherever_blocks_end(n: int) -> None:
    _, over = quality(engine(), labels(n, 0.1, start=0) + labels(3000, 0.0, start=n))

    assert over.state == "recovered"
    assert over.offset < n + 1200


def test_a_share_that_falls_below_the_usual_one_has_recovered() -> None:
    found = quality(engine(), labels(5000, 0.04, start=0) + labels(5000, 0.0, start=5000))

    assert [alert.state for alert in found] == ["open", "recovered"]


def test_a_drift_that_began_with_a_burst_goes_by_the_share_that_it_has_led_to() -> None:
    rng = random.Random(3)
    bad = [i < 20 or rng.random() < 0.04 for i in range(30_000)]

    found = quality(engine(), [refused("labels", i) if one else label(i, True) for i, one in enumerate(bad)], 1000)

    assert [alert.state for alert in found] == ["open"]


def test_a_share_that_rises_further_while_it_is_told_of_is_told_again_as_the_same_drift() -> None:
    records = labels(20, 1.0, start=0) + labels(7980, 0.05, start=20)

    begun, further = quality(engine(), records + labels(500, 0.6, start=8000))

    assert (further.state, further.incident, further.since) == ("open", begun.id, begun.ts)
    assert 8000 <= further.offset < 8100


def test_within_the_cooldown_a_topic_is_told_of_once_unless_it_lasts() -> None:
    records = labels(100, 1.0, start=0) + labels(3000, 0.0, start=100)
    short, lasting = labels(100, 1.0, start=3100) + labels(9000, 0.0, start=3200), labels(9000, 1.0, start=3100)

    found = [[alert.state for alert in quality(engine(6000.0), records + then)] for then in (short, lasting)]

    assert found == [["open", "recovered"], ["open", "recovered", "open"]]


def test_events_and_labels_are_watched_apart() -> None:
    watched = engine()
    records: list[Event | Label | Rejected] = [refused("events", i) for i in range(100)]

    (alert,) = quality(watched, [*records, *(label(i, True) for i in range(100))])

    states = {what: reading.state for what, reading in watched.state.rejections.readings().items()}
    assert alert.feature == "events"
    assert states == {("rejected", "events"): State.DRIFT, ("rejected", "labels"): State.STABLE}


def test_few_records_that_cannot_be_used_are_nothing_to_tell() -> None:
    rng = random.Random(2)
    records = [refused("events", i) if rng.random() < 0.005 else event(i, {"x": 0.5}) for i in range(20_000)]

    assert quality(engine(), [*records], size=500) == []


def test_a_time_that_cannot_be_is_not_the_alerts() -> None:
    records = [refused("events", 0, time=7.0), *(refused("events", i, time=1e15) for i in range(1, 20))]

    (alert,) = quality(engine(), [*records])

    assert alert.ts == 7.0


def test_it_can_be_turned_off() -> None:
    assert quality(engine(rejected=None), with_labels(300, usable=False)) == []


@pytest.mark.parametrize("size", [2, 7, 10_000])
def test_how_records_are_cut_into_spans_changes_nothing(size: int) -> None:
    rng = random.Random(4)
    records = [
        refused("events", i, rng.choice(["wrong_type", "empty_value"]))
        if rng.random() < (0.1 if i < 900 else 0.002)
        else event(i, {"x": 0.5})
        for i in range(2000)
    ]
    single, cut = engine(), engine()

    expected, found = quality(single, [*records], size=1), quality(cut, [*records], size=size)

    assert found == expected
    assert [alert.state for alert in found] == ["open", "recovered"]
    assert fingerprint(cut.state) == fingerprint(single.state)


@pytest.mark.parametrize(("bad", "told"), [(3, 0), (150, 1)])
def test_a_restored_task_goes_on_watching_as_it_would_have(bad: int, told: int) -> None:
    records = labels(300, 0.0, start=0) + labels(bad, 1.0, start=300)
    rest = labels(200, 1.0, start=300 + bad) + labels(1000, 0.0, start=500 + bad)
    lived, saved = engine(), engine()
    assert quality(lived, records) == quality(saved, records)
    assert lived.state.rejections.count() == ({"data_quality": told} if told else {})

    restored = Engine(saved.config, 0, pickle.loads(pickle.dumps(saved.state)))

    assert quality(restored, rest) == quality(lived, rest) != []
