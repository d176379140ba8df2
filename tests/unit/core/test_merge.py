"""The merge of a task's two topics on record time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.core.merge import PATIENCE, Merger
from stream.records import Event, Label, Rejected, Span

LATER = 1e9  # a wall clock at which every record below is old: the stream is a backlog


def event(offset: int, timestamp: float) -> Event:
    return Event(f"e{offset}", timestamp, timestamp, offset, {})


def label(offset: int, timestamp: float) -> Label:
    return Label(f"e{offset}", True, timestamp, offset)


def merger_at_end(slack: float = 0, wait: float = 1, *, two_topics: bool = True, max_span: int = 1000) -> Merger:
    """A merger of topics that have nothing more to give."""
    merger = Merger(slack, wait, two_topics=two_topics, max_span=max_span)
    merger.ended(events=True, labels=True)
    return merger


def order(spans: list[Span]) -> list[str]:
    """The records in the order in which they were taken: event offsets as e0, labels as l0."""
    return [
        name
        for span in spans
        for name in [*(f"e{e.offset}" for e in span.events), *(f"l{la.offset}" for la in span.labels)]
    ]


def drain(merger: Merger, now: float) -> list[Span]:
    spans = []
    while (span := merger.next_span(now)) is not None:
        spans.append(span)
    return spans


def test_events_and_labels_are_taken_in_order_of_record_time() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.add_events([event(0, 1), event(1, 3), event(2, 5)], LATER)
    merger.add_labels([label(0, 2), label(1, 4)], LATER)

    assert order(drain(merger, LATER + 2)) == ["e0", "l0", "e1", "l1", "e2"]


def test_an_event_goes_before_a_label_of_the_same_time() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.add_labels([label(0, 1)], LATER)
    merger.add_events([event(0, 1)], LATER)

    assert order(drain(merger, LATER + 2)) == ["e0", "l0"]


def test_a_backlog_waits_for_the_silent_topic_but_not_for_good() -> None:
    merger = merger_at_end(slack=0, wait=5, two_topics=True)
    merger.add_events([event(0, 1)], LATER)

    assert merger.next_span(LATER + 4.9) is None
    assert merger.wake_at() == LATER + 5
    assert order(drain(merger, LATER + 5)) == ["e0"]


def test_a_topic_that_has_more_to_give_is_waited_for_longer_but_not_for_good() -> None:
    merger = merger_at_end(wait=1)
    merger.ended(events=True, labels=False)
    merger.add_events([event(0, 1)], LATER)

    assert merger.next_span(LATER + PATIENCE - 0.1) is None
    assert merger.wake_at() == LATER + PATIENCE
    assert order(drain(merger, LATER + PATIENCE)) == ["e0"]


def test_a_topic_that_reaches_its_end_releases_what_has_waited_for_it() -> None:
    merger = merger_at_end(wait=1)
    merger.ended(events=True, labels=False)
    merger.add_events([event(0, 1)], LATER)
    assert merger.next_span(LATER + 2) is None

    merger.ended(events=True, labels=True)

    assert order(drain(merger, LATER + 2)) == ["e0"]


def test_a_record_as_young_as_the_wait_is_taken_at_once() -> None:
    merger = merger_at_end(slack=0, wait=0.5, two_topics=True)
    merger.add_events([event(0, LATER - 0.1)], LATER)

    assert order(drain(merger, LATER)) == ["e0"]


def test_without_a_labels_topic_nothing_waits() -> None:
    merger = merger_at_end(slack=0, wait=5, two_topics=False)
    merger.add_events([event(0, 1)], LATER)

    assert order(drain(merger, LATER)) == ["e0"]


def test_a_record_from_the_future_is_no_sign_of_a_live_stream() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.ended(events=True, labels=False)
    merger.add_events([event(0, 1e18)], LATER)

    assert merger.next_span(LATER) is None, "the labels of the backlog are on their way"
    merger.add_labels([label(0, 5)], LATER)

    assert order(drain(merger, LATER)) == ["l0"]


def test_an_event_after_a_rejected_label_begins_another_span() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.add_labels([Rejected("labels", 0, 0, 1.0, "malformed_json", "labels[0]@0: no JSON")], LATER)
    merger.add_events([event(0, 2)], LATER)

    spans = drain(merger, LATER + 2)

    assert [(len(s.events), len(s.rejected)) for s in spans] == [(0, 1), (1, 0)]


def test_slack_makes_spans_longer_and_takes_events_first() -> None:
    merger = merger_at_end(slack=10, wait=1, two_topics=True)
    merger.add_events([event(0, 1), event(1, 3), event(2, 12)], LATER)
    merger.add_labels([label(0, 2), label(1, 13)], LATER)

    spans = drain(merger, LATER + 2)

    assert [(len(s.events), len(s.labels)) for s in spans] == [(2, 1), (1, 1)]


def test_a_rejected_record_keeps_its_place() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    rejected = Rejected("events", 0, 1, 2.0, "malformed_json", "events[0]@1: no JSON")
    merger.add_events([event(0, 1), rejected, event(2, 9)], LATER)
    merger.add_labels([label(0, 5)], LATER)

    first = merger.next_span(LATER + 2)

    assert first is not None
    assert (len(first.events), first.rejected, len(first.labels)) == (1, [rejected], 1)


def test_a_record_from_the_far_future_does_not_hold_up_the_other_topic() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.add_events([event(0, 1e18), event(1, 2)], LATER)
    merger.add_labels([label(0, 3), label(1, 4)], LATER)

    assert order(drain(merger, LATER + 2)) == ["l0", "l1", "e0", "e1"]


def merged(events: list[float], labels: list[float], slack: float) -> list[str]:
    """The order by time alone: of the first records left of both topics the one of the earlier step, else the event."""
    taken, e, la = [], 0, 0
    while e < len(events) or la < len(labels):
        step = [time // slack if slack else time for time in (*events[e : e + 1], *labels[la : la + 1])]
        if la == len(labels) or (e < len(events) and step[0] <= step[1]):
            taken.append(f"e{e}")
            e += 1
        else:
            taken.append(f"l{la}")
            la += 1
    return taken


times = st.one_of(st.integers(0, 50), st.just(LATER * 1e9)).map(float)


@given(
    events=st.lists(times, max_size=30),
    labels=st.lists(times, max_size=30),
    slack=st.sampled_from([0.0, 7.0]),
    max_span=st.sampled_from([1, 3, 1000]),
    arrivals=st.lists(st.tuples(st.booleans(), st.integers(1, 10), st.booleans()), max_size=60),
)
def test_the_order_of_a_backlog_does_not_depend_on_how_its_records_arrive(
    events: list[float], labels: list[float], slack: float, max_span: int, arrivals: list[tuple[bool, int, bool]]
) -> None:
    merger = Merger(slack, 1, two_topics=True, max_span=max_span)
    taken: list[Span] = []
    now, e, la = LATER, 0, 0
    for of_events, n, pause in [*arrivals, (True, 30, False), (False, 30, False)]:
        if of_events:
            merger.add_events([event(i, events[i]) for i in range(e, min(e + n, len(events)))], now)
            e = min(e + n, len(events))
        else:
            merger.add_labels([label(i, labels[i]) for i in range(la, min(la + n, len(labels)))], now)
            la = min(la + n, len(labels))
        merger.ended(events=e == len(events), labels=la == len(labels))
        now += 0.4 if pause else 0.0
        taken += drain(merger, now)

    assert order(taken + drain(merger, now + 2)) == merged(events, labels, slack)


def test_buffered_counts_what_is_in_hand() -> None:
    merger = merger_at_end(slack=0, wait=1, two_topics=True)
    merger.add_events([event(0, 1), event(1, 2)], LATER)
    merger.add_labels([label(0, 1.5)], LATER)

    assert merger.buffered == (2, 1)
    drain(merger, LATER + 2)
    assert merger.buffered == (0, 0)
    assert merger.wake_at() is None


def test_received_is_the_arrival_of_the_newest_record_of_a_span() -> None:
    merger = merger_at_end(slack=0, wait=0, two_topics=True)
    merger.add_events([event(0, 0)], LATER)
    merger.add_events([event(1, 1)], LATER + 3)

    span = merger.next_span(LATER + 4)

    assert span is not None
    assert span.received == LATER + 3
