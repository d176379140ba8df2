"""The merging of events with their late labels, and the stretches cut out of a source."""

from __future__ import annotations

from collections.abc import Iterator

from stream.simulate.source import Out, Pair, Source


class _Made(Source):
    """One event per second, whose label comes after `delays[i]` seconds; None for never."""

    def __init__(self, *delays: float | None) -> None:
        self._delays = delays

    def pairs(self) -> Iterator[Pair]:
        for second, delay in enumerate(self._delays):
            event = Out("events", float(second), b"k", {"id": second})
            yield Pair(event, None if delay is None else Out("labels", second + delay, b"k", {"id": second}))


def _told(source: Source, start: float | None = None, end: float | None = None, events: int | None = None) -> list[str]:
    return [f"{out.topic[0]}{out.value['id']}" for out in source.records(start, end, events)]


def test_labels_come_between_the_events_that_follow_theirs() -> None:
    assert _told(_Made(1.5, 0.2, 5, 0.5)) == ["e0", "e1", "l1", "l0", "e2", "e3", "l3", "l2"]


def test_an_event_comes_before_a_label_of_the_same_instant() -> None:
    assert _told(_Made(1, None)) == ["e0", "e1", "l0"]


def test_an_event_without_a_label_gets_none() -> None:
    assert _told(_Made(None, None)) == ["e0", "e1"]


def test_a_stretch_holds_its_events_and_just_their_labels() -> None:
    assert _told(_Made(1.5, 1.5, 1.5, 1.5), start=1, end=3) == ["e1", "e2", "l1", "l2"]


def test_the_labels_of_the_last_event_still_come() -> None:
    assert _told(_Made(9, 9, 9), events=2) == ["e0", "e1", "l0", "l1"]


def test_no_events_are_an_empty_stream() -> None:
    assert _told(_Made(1, 1), events=0) == []


def test_iterating_twice_gives_the_same_records() -> None:
    source = _Made(1, None, 3)

    assert list(source) == list(source)
