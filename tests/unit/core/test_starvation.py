"""Labels that stop, and classes that vanish, are told once; batches, nights and late labels are no starvation."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable, Iterator

import pytest

from stream.config.health import StarvationConfig
from stream.core.alerts import AlertMaker
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.pending import Joined, Waiting
from stream.core.starvation import Starvation
from stream.records import Alert, Event, Label, Target
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import DETECT, alerts, promotions, stream

HOUR, DAY = 3600.0, 86400.0
MAKER = AlertMaker(small_config(), 0)


class Labels:
    """Events a minute apart, whose labels come when they are due."""

    def __init__(
        self, due: Callable[[float], float], *, gap: float = 60.0, classes: bool = False, **options: float
    ) -> None:
        self.starvation = Starvation(StarvationConfig(**options), classes=classes)
        self.told: list[Alert] = []
        self._due = due
        self._gap = gap
        self._n = 0
        self._coming: list[tuple[float, float]] = []

    @property
    def now(self) -> float:
        """Time of the newest event."""
        return self._n * self._gap

    def until(self, time: float, *, labelled: Callable[[int], bool] = lambda _: True) -> list[Alert]:
        """Let events come until then, of which some get labels; what is told."""
        before = len(self.told)
        while self.now < time:
            self._n += 1
            now = self.now
            for when, arrived in [one for one in self._coming if one[0] <= now]:
                self.starvation.came(came(1.0, self._n, max(when, arrived), arrived))
            self._coming = [one for one in self._coming if one[0] > now]
            self.starvation.arrived([Waiting({}, 1, now, self._n)])
            self.told += self.starvation.told(MAKER, 1)
            if labelled(self._n):
                self._coming.append((self._due(now), now))
        return self.told[before:]

    def stop(self) -> None:
        """Lose all labels that are on their way."""
        self._coming = []


def came(label: Target, offset: int, time: float, arrived: float) -> Joined:
    """A label that has found its event."""
    return Joined([Waiting({}, 1, arrived, offset)], [label], [time], [offset])


def never(_: int) -> bool:
    return False


def hourly(at: float) -> float:
    return math.ceil(at / HOUR) * HOUR


def test_labels_that_stop_are_told_once_with_what_is_usual_and_what_is_now() -> None:
    labels = Labels(lambda at: at + 600.0)
    labels.until(2 * DAY)
    labels.stop()

    (alert,) = labels.until(4 * DAY, labelled=never)

    assert (alert.kind, alert.severity, alert.state, alert.action) == (
        "label_starvation",
        "warning",
        "open",
        "promotions_held",
    )
    assert (alert.detector, alert.feature, alert.direction) == ("label_rate", "labels", "down")
    assert alert.before == pytest.approx(1.0, abs=0.05)
    assert alert.after == pytest.approx(0.0, abs=0.05)
    assert alert.ts - 2 * DAY == pytest.approx(HOUR, abs=0.3 * HOUR)
    assert alert.change is not None
    assert alert.change.ts == pytest.approx(2 * DAY, abs=0.3 * HOUR)
    assert alert.reference is not None
    assert alert.reference.last_ts == pytest.approx(2 * DAY, abs=60.0)
    assert alert.reference.profile is not None
    assert alert.reference.profile["p50"] == pytest.approx(600.0, rel=0.2)
    assert alert.current is not None
    assert alert.current.n == 0


def test_that_labels_come_again_is_told_and_ends_the_hold() -> None:
    labels = Labels(lambda at: at + 600.0)
    labels.until(2 * DAY)
    labels.stop()
    (begun,) = labels.until(3 * DAY, labelled=never)
    held = labels.starvation.holds, labels.starvation.why

    (over,) = labels.until(4 * DAY)

    assert held == (True, "labels")
    assert (over.state, over.severity, over.incident, over.since) == ("recovered", "info", begun.id, begun.ts)
    assert over.duration == over.ts - begun.ts
    assert over.ts == pytest.approx(3 * DAY, abs=2 * HOUR)
    assert (labels.starvation.holds, labels.starvation.why) == (False, "")


def test_labels_that_are_weeks_late_are_missed_as_soon_as_they_stop() -> None:
    rng = random.Random(1)
    labels = Labels(lambda at: at + rng.uniform(7, 14) * DAY, gap=1200.0)
    assert labels.until(60 * DAY) == []
    labels.stop()

    (alert,) = labels.until(62 * DAY, labelled=never)

    assert alert.ts - 60 * DAY < DAY


@pytest.mark.parametrize("due", [hourly, lambda at: hourly(at + 6 * HOUR)])
def test_labels_that_come_in_batches_are_not_missed_between_two(due: Callable[[float], float]) -> None:
    labels = Labels(due, after=0.0)
    assert labels.until(6 * DAY) == []
    labels.stop()

    (alert,) = labels.until(7 * DAY, labelled=never)

    assert 1.5 * HOUR < alert.ts - 6 * DAY < 4 * HOUR


def test_without_events_no_label_is_expected() -> None:
    labels = Labels(lambda at: at + 600.0)
    labels.until(2 * DAY)
    labels._n += 3 * 1440  # three days without an event

    assert labels.until(6 * DAY) == []


def test_a_spell_shorter_than_after_is_not_told() -> None:
    labels = Labels(lambda at: at + 60.0, after=6 * HOUR)
    labels.until(2 * DAY)
    labels.stop()

    assert labels.until(2 * DAY + 5 * HOUR, labelled=never) == []
    assert labels.until(4 * DAY) == []


def test_half_as_many_labels_have_not_stopped() -> None:
    labels = Labels(lambda at: at + 60.0)
    labels.until(2 * DAY)

    assert labels.until(6 * DAY, labelled=lambda n: n % 2 == 0) == []


def test_a_trickle_is_starvation_and_after_a_thousand_labels_what_is_usual() -> None:
    labels = Labels(lambda at: at + 60.0)
    labels.until(2 * DAY)

    begun, over = labels.until(40 * DAY, labelled=lambda n: n % 20 == 0)

    assert (begun.state, over.state) == ("open", "settled")
    assert begun.after == pytest.approx(0.05, abs=0.15)
    labels.stop()
    assert [one.state for one in labels.until(42 * DAY, labelled=never)] == ["open"]


def test_labels_that_never_come_are_missed_once_the_configured_delay_has_passed() -> None:
    told = Labels(lambda at: at, delay=DAY, share=0.1)
    silent = Labels(lambda at: at)

    (alert,) = told.until(3 * DAY, labelled=never)

    assert DAY < alert.ts < 1.3 * DAY
    assert silent.until(3 * DAY, labelled=never) == []


def test_a_configured_delay_does_not_stand_in_the_way_of_what_is_learned() -> None:
    labels = Labels(lambda at: at + 60.0, delay=30 * DAY)
    labels.until(2 * DAY)
    labels.stop()

    assert [one.state for one in labels.until(3 * DAY, labelled=never)] == ["open"]


def test_whether_labels_are_stale_can_be_asked_between_two_events() -> None:
    labels = Labels(lambda at: at + 600.0)
    labels.until(2 * DAY)
    labels.stop()
    labels.until(2 * DAY + HOUR / 2, labelled=never)

    assert labels.starvation.stale_since(2 * DAY + 0.6 * HOUR) is None
    since = labels.starvation.stale_since(2 * DAY + 2 * HOUR)
    assert since == pytest.approx(2 * DAY, abs=0.3 * HOUR)
    assert not labels.starvation.holds


def test_a_section_that_is_null_finds_nothing_and_still_says_what_is_usual() -> None:
    starvation = Starvation(None, classes=True)
    for n in range(2000):
        starvation.arrived([Waiting({}, 1, float(n), n)])
        if n < 1000:
            starvation.came(came(n % 2 == 0, n, n + 0.5, float(n)))

    assert starvation.told(MAKER, 1) == []
    assert not starvation.holds
    assert starvation.delays()["p50"] == pytest.approx(0.5, rel=0.2)


def test_chance_alone_starves_no_label() -> None:
    rng = random.Random(11)
    labels = Labels(lambda at: at + rng.expovariate(1 / 1800), run_length=1e4, after=0.0)

    assert labels.until(5 * DAY, labelled=lambda _: rng.random() < 0.3) == []


# classes


def classed(starvation: Starvation, names: Iterator[str] | list[str], start: int = 0) -> list[Alert]:
    told = []
    for n, name in enumerate(names, start):
        starvation.arrived([Waiting({}, 1, float(n), n)])
        told += starvation.told(MAKER, 1)
        starvation.came(came(name, n, float(n), float(n)))
    return told


def mixed(n: int, share: float, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return ["fraud" if rng.random() < share else "fine" for _ in range(n)]


def test_a_class_that_vanishes_is_named_with_its_last_label_and_its_share() -> None:
    starvation = Starvation(StarvationConfig(after=0.0), classes=True)
    before = mixed(5000, 0.05)
    assert classed(starvation, before) == []
    last = max(n for n, name in enumerate(before) if name == "fraud")

    (alert,) = classed(starvation, ["fine"] * 900, 5000)

    assert (alert.detector, alert.feature, alert.detail) == ("class_share", "class", "fraud")
    assert alert.before == pytest.approx(0.05, abs=0.01)
    assert alert.p_value is not None
    assert alert.p_value < 1e-5
    assert alert.change is not None
    assert (alert.change.offset, alert.change.ts) == (last, float(last))
    assert starvation.holds
    assert starvation.why == "labels of class fraud"


def test_a_class_that_comes_again_ends_its_spell_at_once() -> None:
    starvation = Starvation(StarvationConfig(after=0.0), classes=True)
    classed(starvation, mixed(5000, 0.05))
    (begun,) = classed(starvation, ["fine"] * 600, 5000)

    (over,) = classed(starvation, mixed(200, 0.05), 5600)

    assert (over.state, over.incident, over.detail) == ("recovered", begun.id, "fraud")
    assert not starvation.holds


def test_a_class_that_stays_away_for_long_is_no_longer_waited_for() -> None:
    starvation = Starvation(StarvationConfig(after=0.0), classes=True)
    classed(starvation, mixed(5000, 0.05))

    told = classed(starvation, ["fine"] * 5000, 5000)

    assert [one.state for one in told] == ["open", "settled"]
    assert not starvation.holds


def test_a_class_that_comes_in_spells_has_not_vanished_between_two() -> None:
    starvation = Starvation(StarvationConfig(after=0.0), classes=True)
    week = ["fine"] * 900 + ["fraud"] * 100

    assert classed(starvation, week * 20) == []


def test_classes_that_come_by_chance_alone_do_not_vanish() -> None:
    for seed in range(5):
        starvation = Starvation(StarvationConfig(after=0.0, run_length=1e4), classes=True)
        assert classed(starvation, mixed(5000, 0.02, seed)) == []


def test_numbers_have_no_classes() -> None:
    starvation = Starvation(StarvationConfig(after=0.0), classes=False)

    assert classed(starvation, [*mixed(3000, 0.05), *["fine"] * 3000]) == []
    assert starvation.vanished == 0


def test_no_more_classes_are_watched_than_is_bounded() -> None:
    starvation = Starvation(StarvationConfig(), classes=True)
    classed(starvation, [f"class {n}" for n in range(2000)])

    assert len(pickle.dumps(starvation)) < 20_000


# in the engine


def starving(n: int, last: int) -> list[Event | Label]:
    """Events a second apart with their labels half a second later, up to the last."""
    made: list[Event | Label] = []
    for i in range(n):
        made.append(event(i, {"x": i % 7 / 7}))
        if i <= last:
            made.append(label(i, i % 7 > 3))
    return made


def test_the_engine_tells_of_labels_that_stop_and_go_on() -> None:
    engine = Engine(small_config({"labels": {"starvation": {"after": "60s"}}}), 0)

    (begun,) = alerts(drive(engine, starving(2000, 1000)), "label_starvation")
    assert engine.state.starvation.holds
    drive(engine, [label(n, True, time=2000.0) for n in range(1001, 2000)])
    (over,) = alerts(drive(engine, [event(n, {"x": 0.1}) for n in range(2000, 2020)]), "label_starvation")

    assert 1060 <= begun.offset < 1150
    assert (over.state, over.incident) == ("recovered", begun.id)


def test_the_engine_takes_labels_that_come_with_their_events() -> None:
    engine = Engine(small_config({"labels": {"starvation": {"after": "60s"}}}), 0)
    records = [event(i, {"x": 0.5}, inline=i % 2 == 0 if i < 1000 else None) for i in range(1300)]

    (alert,) = alerts(drive(engine, records, span=40), "label_starvation")

    assert 1060 <= alert.offset < 1150


@pytest.mark.parametrize("missing", [False, True])
def test_no_challenger_is_promoted_while_labels_or_a_class_are_missing(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Starvation, "holds", missing)
    engine = Engine(small_config(DETECT), 0)

    promoted = promotions(drive(engine, stream(4000, flip_at=1500)))

    assert bool(promoted) != missing


def test_a_task_restored_in_a_spell_goes_on_as_the_one_that_was_not() -> None:
    config = small_config({"labels": {"starvation": {"after": "60s"}}})
    engine = Engine(config, 0)
    drive(engine, starving(1500, 1000))
    restored = Engine(config, 0, pickle.loads(pickle.dumps(engine.state)))
    rest: list[Event | Label] = []
    for n in range(1500, 1800):
        rest += [event(n, {"x": 0.5}), label(n, True)]

    told = [alerts(drive(one, rest), "label_starvation") for one in (engine, restored)]

    assert [one.state for one in told[0]] == ["recovered"]
    assert told[0] == told[1]
    assert fingerprint(engine.state.starvation) == fingerprint(restored.state.starvation)
