"""The tables of what was found."""

from __future__ import annotations

from collections.abc import Sequence

from bench.sheets import Sheet
from detecting.figures import Delayed, Measured, Row, best
from detecting.plan import CHANGES, STATIONARY
from detecting.streams import Change

_NONE = ""


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """One on false alarms and one on delays for each thing that is watched."""
    found = []
    for watched in STATIONARY:
        own = [row for row in rows if row.watched == watched]
        if own:
            slug = watched.replace(" ", "-")
            found.append(_run_lengths(f"{slug}-run-length", watched, own))
            found.append(_delays(f"{slug}-delay", watched, own))
    return found


def limits() -> Sheet:
    """The limit, and what the best detector takes that is told both distributions, by change and run length."""
    lengths = (1e4, 1e5, 1e6)
    changes = [change for changes in CHANGES.values() for change in changes if change.limit(lengths[0])]
    head = ("change", *(f"run length {length:,.0f}" for length in lengths))
    body = [(change.name, *(_least(change, length) for length in lengths)) for change in changes]
    return Sheet("limits", "limit / best mean delay, in events", head, body)


def _least(change: Change, run_length: float) -> str:
    told = best(change, run_length)
    return " / ".join(_count(number) for number in (change.limit(run_length), told) if number is not None)


def _run_lengths(name: str, watched: str, rows: Sequence[Row]) -> Sheet:
    found = dict.fromkeys(key for row in rows for key in row.run_lengths)
    keys = sorted(found, key=lambda key: _place(key, watched))
    head = ("detector", "stated", *(_on(law, features) for law, features in keys), "cost", "us")
    body = []
    for row in rows:
        if row.run_lengths:
            told = [_run_length(row.run_lengths.get(key), row.contender.stated) for key in keys]
            body.append((*_named(row), *told, _times(row.cost), _micros(row.microseconds)))
        elif row.refused:
            body.append((row.contender.name, "refused", *[_NONE] * len(keys), _NONE, _NONE))
    return Sheet(name, f"{watched}: events per false alarm", head, body)


def _delays(name: str, watched: str, rows: Sequence[Row]) -> Sheet:
    found = dict.fromkeys(key for row in rows for key in row.delays)
    keys = sorted(found, key=lambda key: (key[1] if key[0].law == "normal" else 0, _order(key[0], watched)))
    head = ("detector", "stated", *(_on(change.name, features) for change, features in keys))
    body = [
        (*_named(row), *(_delay(row.delays.get(key), row.over_limit(*key)) for key in keys))
        for row in rows
        if row.delays
    ]
    return Sheet(name, f"{watched}: events from the change to the alarm", head, body)


def _place(key: tuple[str, int], watched: str) -> tuple[int, int]:
    law, features = key
    laws = STATIONARY[watched]
    return features, laws.index(law) if law in laws else len(laws)


def _order(change: Change, watched: str) -> int:
    changes = CHANGES[watched]
    return changes.index(change) if change in changes else len(changes)


def _on(name: str, features: int) -> str:
    return f"{name}, {features} features" if features > 1 else name


def _named(row: Row) -> tuple[str, str]:
    stated = row.contender.stated
    return row.contender.name, "default" if stated is None else f"{stated:,.0f}"


def _run_length(measured: Measured | None, stated: float | None) -> str:
    if measured is None:
        return _NONE
    if stated is None:
        return _count(measured.run_length) if measured.alarms else f"> {_count(measured.low)}"
    if not measured.alarms:
        return f"> {_ratio(measured.low / stated)}"
    ratio, low, high = (_ratio(value / stated) for value in (measured.run_length, measured.low, measured.high or 0.0))
    return f"{ratio} ({low} to {high})"


def _delay(delayed: Delayed | None, over: float | None) -> str:
    if delayed is None:
        return _NONE
    missed = f"{delayed.missed / delayed.runs:.0%} missed" if delayed.missed else ""
    if delayed.mean is None or delayed.median is None:
        return missed
    told = f"{_count(delayed.mean)} / {_count(delayed.median)}{'*' if delayed.early else ''}"
    times = f"{over:.1f}x" if over is not None and not delayed.early else ""
    return ", ".join(part for part in (told, times, missed) if part)


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{float(f'{number:.3g}'):,.0f}"


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10.0 else f"{ratio:.2g}"


def _times(ratio: float | None) -> str:
    return _NONE if ratio is None else f"{ratio:.1f}"


def _micros(micros: float | None) -> str:
    return _NONE if micros is None else f"{micros:.2g}"
