"""Payments and sensors: what holds for every made-up stream, and what each of them promises."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from stream.simulate import payments, sensor
from stream.simulate.catalogue import Kind, make_source
from stream.simulate.payments import Payments
from stream.simulate.sensor import Sensor
from stream.simulate.source import DAY, Out, Source, SourceError

MADE_UP = [Payments, Sensor]


def _id(out: Out) -> object:
    return out.value.get("payment", out.value.get("id"))


@pytest.mark.parametrize("make", MADE_UP)
def test_records_come_in_the_order_of_time(make: type[Source]) -> None:
    records = list(make().records(events=2000))

    assert all(before.timestamp <= after.timestamp for before, after in pairwise(records))


@pytest.mark.parametrize("make", MADE_UP)
def test_a_label_is_later_than_its_event_and_goes_to_its_partition(make: type[Source]) -> None:
    records = list(make().records(events=2000))
    events = {_id(out): out for out in records if out.topic == "events"}
    labels = [out for out in records if out.topic == "labels"]

    assert labels
    assert all(events[_id(label)].timestamp < label.timestamp for label in labels)
    assert all(events[_id(label)].key == label.key for label in labels)


@pytest.mark.parametrize("make", MADE_UP)
def test_ids_are_unique_and_an_event_has_one_label_at_most(make: type[Source]) -> None:
    told = Counter((out.topic, _id(out)) for out in make().records(events=2000))

    assert set(told.values()) == {1}


@pytest.mark.parametrize("kind", [Kind.PAYMENTS, Kind.SENSOR])
def test_a_seed_gives_the_same_stream_and_another_seed_another(kind: Kind) -> None:
    stream = list(make_source(kind, seed=7).records(events=300))

    assert list(make_source(kind, seed=7).records(events=300)) == stream
    assert list(make_source(kind, seed=8).records(events=300)) != stream


@pytest.mark.parametrize("make", MADE_UP)
def test_the_true_changes_are_told_in_the_order_of_time(make: type[Source]) -> None:
    times = [change.at for change in make().changes]

    assert times
    assert times == sorted(times)


def test_fraud_is_as_rare_as_was_asked_for() -> None:
    pairs = Payments(imbalance=20).pairs()

    outcomes = Counter(label.value["outcome"] for _, label in (next(pairs) for _ in range(10_000)) if label is not None)

    # 500 frauds are expected, of which three in four are charged back: five standard deviations are about 95.
    assert 280 < outcomes["chargeback"] < 470


def test_a_chargeback_comes_3_to_60_days_late_and_a_quarter_never() -> None:
    frauds = [pair for pair, _ in zip(Payments(imbalance=2).pairs(), range(4000), strict=False)]
    delays = [
        (label.timestamp - event.timestamp) / DAY
        for event, label in frauds
        if label is not None and label.value["outcome"] == "chargeback"
    ]

    assert min(delays) >= 3
    assert max(delays) <= 60
    assert 1350 < len(delays) < 1650


def test_fraudsters_change_their_tactics_at_the_time_that_is_told() -> None:
    source = Payments(imbalance=2, per_day=20)
    change = source.changes[0].at
    charged = [
        event
        for event, label in (pair for pair, _ in zip(source.pairs(), range(1500), strict=False))
        if label is not None and label.value["outcome"] == "chargeback"
    ]

    def share(events: list[Out], category: str) -> float:
        return [event.value["merchant"]["category"] for event in events].count(category) / len(events)

    before = [event for event in charged if event.timestamp < change]
    after = [event for event in charged if change <= event.timestamp < source.changes[1].at]
    assert share(before, "digital") > 0.6
    assert share(before, "electronics") < 0.2
    assert share(after, "electronics") > 0.6
    assert share(after, "digital") < 0.25


def test_the_new_market_shows_only_after_it_has_opened() -> None:
    source = Payments(per_day=20)
    opened = next(change.at for change in source.changes if change.feature == "country")
    events = [event for event, _ in (pair for pair, _ in zip(source.pairs(), range(4000), strict=False))]

    brazil = [event.timestamp for event in events if event.value["country"] == "BR"]
    assert brazil
    assert min(brazil) >= opened


@pytest.mark.parametrize("imbalance", [1, 5001])
def test_an_imbalance_out_of_range_is_refused(imbalance: int) -> None:
    with pytest.raises(SourceError, match=rf"imbalance is {imbalance}; expected 2 to 5000"):
        Payments(imbalance=imbalance)


def test_imbalance_for_anything_but_payments_is_refused() -> None:
    with pytest.raises(SourceError, match="imbalance is for payments"):
        make_source(Kind.SENSOR, imbalance=100)


def test_a_rate_below_one_payment_a_day_is_refused() -> None:
    with pytest.raises(SourceError, match="per_day is 0"):
        Payments(per_day=0)


@pytest.mark.parametrize("machines", [0, 1001])
def test_a_number_of_machines_out_of_range_is_refused(machines: int) -> None:
    with pytest.raises(SourceError, match=f"machines is {machines}; expected 1 to 1000"):
        Sensor(machines=machines)


def test_the_thermometer_drifts_then_jumps_at_the_times_that_are_told() -> None:
    drift, recalibrated, _ = (change.at for change in Sensor.changes)
    days: dict[int, list[float]] = {}
    for out in Sensor(machines=1).records(events=288 * 16):
        if out.topic == "events" and out.value["inlet_c"] is not None:
            days.setdefault(int((out.timestamp - sensor.START) // DAY), []).append(out.value["inlet_c"])
    mean = {day: sum(values) / len(values) for day, values in days.items()}
    last_good, last_bad, first_new = (
        int((at - sensor.START) / DAY) for at in (drift - DAY, recalibrated - DAY, recalibrated)
    )

    assert abs(mean[last_good] - mean[0]) < 0.4
    assert mean[last_bad] - mean[0] > 4
    assert mean[first_new] - mean[0] == pytest.approx(-1.5, abs=0.4)


def test_worn_bearings_cost_more_power_for_the_same_load() -> None:
    source = Sensor(machines=1)
    worn = source.changes[-1].at
    before: list[float] = []
    after: list[float] = []
    for (event, label), _ in zip(source.pairs(), range(288 * 42), strict=False):
        if label is not None and event.value["mode"] == "run":
            (after if event.timestamp >= worn else before).append(label.value["label"] / event.value["load"])

    assert sum(after) / len(after) > 1.08 * sum(before) / len(before)


def test_personal_data_are_in_the_payments_as_they_are_in_life() -> None:
    event = next(Payments().pairs()).event

    assert event.value["card"].keys() >= {"email", "masked"}


def test_a_payment_carries_its_own_time_in_milliseconds() -> None:
    event = next(Payments().pairs()).event

    assert event.timestamp >= payments.START
    assert event.value["created_ms"] == round(event.timestamp * 1000)
