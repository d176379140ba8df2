"""Every alert of the flights year, with what happened in those days beside it; and what other detectors make of it.

    python -m benchmarks.flights_alarms                      # two minutes
    python -m benchmarks.flights_alarms -c my-flights.yaml   # with other detectors

The year's 336,776 flights go through the engine itself, without a broker, in two partitions as in the demo, merged on
time as the service merges them; promotions are carried out at once. So the alerts are those of `make demo`, but for
what follows from a promotion: there it serves both partitions, here its own.

An event is a spell of days, at most one day apart, on which the share of late flights was 12 points above the median
of the four weeks around, or 5% of flights were cancelled. `flights_events.csv` says what each was; the script fails if
the days in it are not those of the data. An alert has an event behind it if it comes within one, or by the end of the
day after: a day is judged when it is over. Alerts of the detectors in `SEASONAL` are about the time of the year.

The second table shows the champion's errors of the same run to other detectors, and counts alarms the same way. The
third says how much errors depend on each other: how many times larger the variance of block means is than it would be
for independent errors. The last is of a feature that goes round by the week, with and without its season.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from kafka.partitioner.default import murmur2
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from detectors.base import Signal, State
from detectors.registry import ConceptConfig, DataConfig
from detectors.watch import watch_errors, watch_features
from stream.config.load import load
from stream.config.model import Config
from stream.core.engine import Engine
from stream.core.merge import Merger
from stream.core.monitors import Monitors
from stream.core.problem import Judge
from stream.decode import EventDecoder, LabelDecoder
from stream.readable import alert_line
from stream.records import Alert, Event, Features, Label, Rejected, Swap
from stream.simulate.flights import LATE, Flights
from stream.simulate.flights_data import FlightsData
from stream.simulate.wire import encode
from stream.telemetry import HEALTH_KINDS
from stream.testing import Raw

HERE = Path(__file__).parent
NEW_YORK = ZoneInfo("America/New_York")
NOW = 1.7e9
PARTITIONS = 2
SEASONAL = {"seasons", "chi_squared"}

_AROUND = 14
_ABOVE = 0.12
_CANCELLED = 0.05

OTHERS: dict[str, dict[str, Any]] = {
    "ADWIN, delta 1e-4": {"kind": "adwin", "delta": 1e-4},
    "ADWIN, delta 1e-12": {"kind": "adwin", "delta": 1e-12},
    "Page-Hinkley": {"kind": "page_hinkley"},
    "e-detector, 100,000": {"kind": "e_detector", "run_length": 1e5},
    "e-detector, by hour of day": {
        "kind": "e_detector",
        "run_length": 1e5,
        "season": {"period": "day", "timezone": "America/New_York", "cycles": 14},
    },
    "blocks of 20": {"kind": "error_blocks", "block": 20},
    "blocks of an hour": {"kind": "error_blocks", "block": "hour"},
    "blocks of a day": {"kind": "error_blocks", "block": "day", "timezone": "America/New_York"},
}

DEPARTURES: dict[str, Any] = {
    "kind": "feature_blocks",
    "features": ["departures"],
    "block": "day",
    "timezone": "America/New_York",
    "run_length": 1e6,
}


class Spell(NamedTuple):
    """Days of disruption, and what happened."""

    first: date
    last: date
    late: float
    cancelled: float
    what: str


class Judged(NamedTuple):
    """An error of the champion, 0 or 1, and the time of its event."""

    error: float
    time: float


class Spy(Monitors):
    """Monitors that remember the champion's errors, and the times of drifts, told or not, that are of no season."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.seen: list[Judged] = []
        self.drifts: list[float] = []

    def observe_events(
        self, judge: Judge, outputs: Sequence[Any], rows: Sequence[Features], times: Sequence[float]
    ) -> list[tuple[str, str, Signal]]:
        found = super().observe_events(judge, outputs, rows, times)
        self._note([(name, signal) for _, name, signal in found], times)
        return found

    def observe_outputs(
        self, judge: Judge, outputs: Sequence[Any], waiting: Sequence[Any], labels: Sequence[Any]
    ) -> list[tuple[str, Signal]]:
        self.seen += [
            Judged(float((p >= 0.5) != y), w.timestamp) for p, y, w in zip(outputs, labels, waiting, strict=True)
        ]
        found = super().observe_outputs(judge, outputs, waiting, labels)
        self._note(found, [one.timestamp for one in waiting])
        return found

    def _note(self, found: Sequence[tuple[str, Signal]], times: Sequence[float]) -> None:
        drifts = [signal for name, signal in found if name not in SEASONAL and signal.reading.state is State.DRIFT]
        self.drifts += [times[signal.index] for signal in drifts]


Records = tuple[list[Event | Rejected], list[Label | Rejected]]


def records(config: Config) -> list[Records]:
    """Events and labels of each partition, as decoded."""
    raw: list[dict[str, list[Raw]]] = [{"events": [], "labels": []} for _ in range(PARTITIONS)]
    for message in encode(Flights().records()):
        partition = (murmur2(message.key) & 0x7FFFFFFF) % PARTITIONS
        into = raw[partition][message.topic]
        millis = round(message.timestamp * 1000)
        into.append(Raw(message.value, message.key, message.topic, partition, len(into), millis))
    events, labels = EventDecoder(config), LabelDecoder(config)
    return [(events.decode(part["events"]), labels.decode(part["labels"])) for part in raw]


class Year(NamedTuple):
    """What came of one partition: alerts, what its monitors saw, the mean loss of its champion, the number of swaps."""

    alerts: list[Alert]
    spy: Spy
    loss: float
    swaps: int


def run(config: Config, partition: int, given: Records) -> Year:
    """The year in one partition."""
    merger = Merger(config.merge.slack, config.merge.wait, two_topics=True)
    merger.ended(events=True, labels=True)
    merger.add_events(given[0], NOW)
    merger.add_labels(given[1], NOW)
    engine = Engine(config, partition)
    engine.state.monitors = spy = Spy(config)
    alerts: list[Alert] = []
    swaps = 0
    while (rest := merger.next_span(NOW + config.merge.wait)) is not None:
        while rest is not None:
            effects, _, rest = engine.take(rest, NOW)
            won = engine.proposal
            if won is not None:
                swaps += 1
                effects += engine.command(Swap(won.learner, engine.state.version + 1, won.reason), NOW)
            alerts += [effect for effect in effects if isinstance(effect, Alert) and effect.detector is not None]
    report = engine.state.scores.report(engine.state.judge)
    return Year(alerts, spy, report["champion"]["mean_loss"], swaps)


def spells() -> list[Spell]:
    """The year's events. Raises SystemExit where the table has other days than the data."""
    with (HERE / "flights_events.csv").open(encoding="utf-8", newline="") as lines:
        table = {(row["first"], row["last"]): row["event"] for row in csv.DictReader(lines)}
    found = list(_disrupted())
    days = {(str(spell.first), str(spell.last)) for spell in found}
    if days != set(table):
        raise SystemExit(f"flights_events.csv is not of these data; they differ in {sorted(days ^ set(table))}")
    return [spell._replace(what=table[str(spell.first), str(spell.last)]) for spell in found]


def _disrupted() -> Iterator[Spell]:
    days = list(FlightsData().days())
    cancelled = [fmean(flight.departed is None for flight in day) for day in days]
    late = [fmean(f.arrival_delay >= LATE for f in day if f.arrival_delay is not None) for day in days]
    usual = [median(late[max(0, i - _AROUND) : i + _AROUND + 1]) for i in range(len(days))]
    bad = [i for i in range(len(days)) if late[i] - usual[i] >= _ABOVE or cancelled[i] >= _CANCELLED]
    while bad:
        spell = [bad.pop(0)]
        while bad and bad[0] - spell[-1] <= 2:
            spell.append(bad.pop(0))
        first, last = spell[0], spell[-1]
        most = max(late[first : last + 1]), max(cancelled[first : last + 1])
        yield Spell(days[first][0].day, days[last][0].day, *most, "")


def behind(time: float, events: Sequence[Spell]) -> Spell | None:
    """The event during which, or by the end of the day after which, this time falls."""
    day = datetime.fromtimestamp(time, NEW_YORK).date()
    return next((event for event in events if event.first <= day <= event.last + timedelta(days=1)), None)


def print_alerts(alerts: Sequence[Alert], events: Sequence[Spell], console: Console) -> None:
    """Every alert that something has drifted beside its event, and how many have none; then those of other kinds."""
    others = [alert for alert in alerts if alert.kind in HEALTH_KINDS]
    alerts = [alert for alert in alerts if alert.kind not in HEALTH_KINDS]
    over = Counter(alert.state for alert in alerts if alert.state != "open")
    alerts = [alert for alert in alerts if alert.state == "open"]
    table = Table("alert", "partition", "detector", "feature", "from", "to", "event")
    count = Counter[str]()
    for alert in sorted(alerts, key=lambda alert: (alert.ts, alert.partition)):
        seasonal = alert.detector in SEASONAL
        event = None if seasonal else behind(alert.ts, events)
        count["of a season" if seasonal else "with an event" if event else "with none"] += 1
        what = f"{event.first:%d %b}: {event.what}" if event else "season" if seasonal else "none"
        before, after = (f"{value:.3g}" if value is not None else "-" for value in (alert.before, alert.after))
        at = f"{datetime.fromtimestamp(alert.ts, NEW_YORK):%d %b %H:%M}"
        table.add_row(at, str(alert.partition), alert.detector, alert.feature or "errors", before, after, what)
    console.print(table)
    for alert in others:
        console.print(alert_line(alert))
    told = [alert for alert in alerts if alert.detector not in SEASONAL]
    for what in ("with an event", "of a season", "with none"):
        console.print(f"{count[what]} alerts {what}")
    console.print(f"{over['recovered']} and {over['settled']} tell that one has recovered or settled")
    year = [datetime(2013, 1, 1, 12, tzinfo=NEW_YORK) + timedelta(days=day) for day in range(365)]
    by_chance = fmean(behind(day.timestamp(), events) is not None for day in year)
    console.print(f"(an alert at any time would have one behind it with a probability of {by_chance:.0%})")
    for kind in ("concept_drift", "data_drift"):
        met = {behind(alert.ts, events) for alert in told if alert.kind == kind} - {None}
        console.print(f"{kind}: {len(met)} of {len(events)} events were met")
    console.print(f"Together {len({behind(alert.ts, events) for alert in told} - {None})}.")
    console.print(
        "Not met: "
        + "; ".join(
            f"{e.first:%d %b} ({e.late:.0%} late, {e.cancelled:.0%} cancelled)"
            for e in events
            if all(behind(alert.ts, events) != e for alert in told)
        )
    )


def print_held_back(
    alerts: Sequence[Alert], drifts: Sequence[float], events: Sequence[Spell], console: Console
) -> None:
    """The events that were noticed while an earlier drift of the same thing was not over, and not told again."""
    told = {behind(alert.ts, events) for alert in alerts if alert.state == "open" and alert.detector not in SEASONAL}
    held = [event for event in events if event in {behind(time, events) for time in drifts} - told]
    console.print(f"Noticed and held back, {len(held)} more: " + ", ".join(f"{event.first:%d %b}" for event in held))


def print_others(errors: Sequence[Sequence[Judged]], events: Sequence[Spell], console: Console) -> None:
    """Alarms of other detectors on the same errors."""
    table = Table("on the champion's errors (0/1)", "alarms", "with an event", "with none", "events met")
    for name, options in OTHERS.items():
        config = TypeAdapter(ConceptConfig).validate_python(options)
        times = list[float]()
        for stream in errors:
            signals = watch_errors(config).observe(
                [e.error for e in stream], [{}] * len(stream), [e.time for e in stream]
            )
            times += [stream[signal.index].time for signal in signals if signal.reading.state is State.DRIFT]
        met = [event for time in times if (event := behind(time, events)) is not None]
        table.add_row(name, *map(str, (len(times), len(met), len(times) - len(met), len(set(met)))))
    console.print(table)


def print_dependence(errors: Sequence[Sequence[Judged]], console: Console) -> None:
    """How many times larger the variance of block means is than for independent errors."""
    sizes = (10, 50, 200, 450, 3000)
    table = Table("variance of block means, of that for independent errors", *(f"{size:,}" for size in sizes))
    for partition, stream in enumerate(errors):
        values = np.array([judged.error for judged in stream])
        factors = []
        for size in sizes:
            means = values[: len(values) // size * size].reshape(-1, size).mean(axis=1)
            factors.append(f"{size * means.var() / values.var():.1f}")
        table.add_row(f"partition {partition}", *factors)
    console.print(table)


def print_departures(given: Sequence[Records], console: Console) -> None:
    """A feature that goes round by the week, by the day, with and without its season."""
    table = Table("departures, by the day", "alarms", "on a Sunday, about Saturday", "when")
    season = {"period": "week", "timezone": "America/New_York", "cycles": 4}
    for name, options in (("as they are", {}), ("by hour of the week", {"season": season})):
        config = TypeAdapter(DataConfig).validate_python({**DEPARTURES, **options})
        days = list[date]()
        for events, _ in given:
            watch = watch_features(config, ["departures"], [])
            assert watch is not None
            rows = [event for event in events if isinstance(event, Event)]
            signals = watch.observe([event.features for event in rows], [event.timestamp for event in rows])
            drifts = [signal for signal in signals if signal.reading.state is State.DRIFT]
            days += [datetime.fromtimestamp(rows[signal.index].timestamp, NEW_YORK).date() for signal in drifts]
        sundays = sum(day.weekday() == 6 for day in days)
        table.add_row(name, str(len(days)), str(sundays), ", ".join(f"{day:%d %b}" for day in sorted(set(days))))
    console.print(table)


def main() -> None:
    """Run the year and print the tables."""
    parser = argparse.ArgumentParser(description="The alerts of the flights year, with the events beside them.")
    parser.add_argument("-c", "--config", type=Path, default=HERE.parent / "configs" / "flights.yaml")
    options = parser.parse_args()
    console = Console(width=200)
    config = load(options.config, {**os.environ, "DRIFTLINE_SIGNING_KEY": "0" * 32})
    events, given = spells(), records(config)
    years = [run(config, partition, part) for partition, part in enumerate(given)]
    for partition, year in enumerate(years):
        console.print(f"partition {partition}: mean loss of the champion {year.loss:.4f}, {year.swaps} swaps")
    alerts, errors = [alert for year in years for alert in year.alerts], [year.spy.seen for year in years]
    print_alerts(alerts, events, console)
    print_held_back(alerts, [time for year in years for time in year.spy.drifts], events, console)
    print_others(errors, events, console)
    print_dependence(errors, console)
    print_departures(given, console)


if __name__ == "__main__":
    main()
