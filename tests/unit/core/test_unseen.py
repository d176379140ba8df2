"""A misspelt `model.positive` is told, with what labels are instead, and nobody's name; wherever spans are cut."""

from __future__ import annotations

import pickle
from itertools import cycle, islice
from typing import Any

import pytest

from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.starvation import EVERY
from stream.core.unseen import MOST, NAMED, OFTEN, SEVERAL, SOLE, Unseen
from stream.records import Alert, Event, Label
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import alerts


def engine(positive: str | None = "fraud", **labels: Any) -> Engine:
    return Engine(small_config({"model": {"positive": positive}, "labels": labels}), 0)


def labelled(texts: list[str], *, start: int = 0, inline: bool = False, run: int = 1) -> list[Event | Label]:
    """Events a second apart with labels that are written like this: with the event, or after a run of events."""
    made: list[Event | Label] = []
    waiting: list[Event | Label] = []
    for n, text in enumerate(texts, start):
        made.append(event(n, {"x": n % 7 / 7}, inline=text == "fraud", text=text) if inline else event(n, {"x": n % 7}))
        if not inline:
            waiting.append(label(n, text == "fraud", time=start + (n - start) // run * run + run - 0.5, text=text))
        if len(waiting) == run:
            made, waiting = made + waiting, []
    return made + waiting


def of(n: int, *texts: str) -> list[str]:
    """So many texts, in turn."""
    return list(islice(cycle(texts), n))


def starvation(engine: Engine, records: list[Event | Label], span: int = 50) -> list[Alert]:
    return alerts(drive(engine, records, span=span), "label_starvation")


def test_labels_none_of_which_is_the_positive_text_are_told_once_with_what_they_are() -> None:
    (alert,) = starvation(engine(), labelled(of(3000, "ok", "ok", "ok", "Fraudulent")))

    assert (alert.severity, alert.state, alert.action) == ("warning", "open", "promotions_held")
    assert (alert.detector, alert.feature) == ("never_seen", "class")
    assert SEVERAL <= alert.offset <= SEVERAL + EVERY
    assert alert.current is not None
    assert alert.detail == (
        f'none of the first {alert.current.n} labels is "fraud", as model.positive has it; '
        f'they are "ok" ({alert.current.n * 3 // 4}) and "Fraudulent" ({alert.current.n // 4})'
    )
    assert alert.current.profile == pytest.approx({"ok": 0.75, "Fraudulent": 0.25}, abs=0.01)
    assert alert.change is not None
    assert alert.change.ts == 0.5


def test_while_none_has_come_no_challenger_is_promoted_and_the_class_counts_as_missing() -> None:
    under_test = engine()
    starvation(under_test, labelled(of(1000, "ok", "chargeback")))

    watch = under_test.state.starvation
    assert watch.holds
    assert watch.why == "labels of class fraud"
    assert (watch.vanished, watch.vanished_classes) == (1, ("fraud",))


def test_the_first_positive_label_ends_it_for_good() -> None:
    under_test = engine()
    (begun,) = starvation(under_test, labelled(of(1000, "ok", "chargeback")))

    (over,) = starvation(under_test, labelled(["fraud", *of(2000, "ok", "chargeback")], start=1000))

    assert (over.state, over.incident, over.detail) == ("recovered", begun.id, 'labels that are "fraud" come')
    assert not under_test.state.starvation.holds
    assert not under_test.state.starvation.reads


def test_several_texts_that_mean_false_are_no_mistake_where_the_positive_one_comes() -> None:
    told = starvation(engine(), labelled([*of(400, "ok", "disputed"), "fraud", *of(3000, "ok", "disputed")]))

    assert told == []


def test_one_text_alone_is_told_of_later_since_the_other_may_be_rare() -> None:
    under_test = engine()

    assert starvation(under_test, labelled(of(SOLE - EVERY - 1, "ok")), span=500) == []
    (alert,) = starvation(under_test, labelled(of(2 * EVERY, "ok"), start=SOLE - EVERY - 1), span=500)

    assert alert.current is not None
    assert SOLE <= alert.current.n <= SOLE + EVERY
    assert alert.current.profile == {"ok": 1.0}


def test_labels_that_come_with_their_events_are_read_like_others() -> None:
    texts = of(1000, "ok", "chargeback")

    (apart,) = starvation(engine(), labelled(texts), span=1)
    (with_event,) = starvation(engine(), labelled(texts, inline=True), span=1)

    assert (with_event.detail, with_event.offset) == (apart.detail, apart.offset)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("span", [7, 50, 333, 5000])
def test_it_is_told_at_the_same_event_wherever_spans_are_cut(inline: bool, span: int) -> None:
    records = labelled([*of(800, "ok", "chargeback", "Ada Lovelace"), "fraud", *of(300, "ok")], inline=inline, run=20)
    one, cut = engine(), engine()

    expected = starvation(one, records, span=1)
    told = starvation(cut, records, span=span)

    assert len(told) == 2
    assert told == expected
    assert fingerprint(cut.state.starvation) == fingerprint(one.state.starvation)


def test_what_was_read_is_part_of_a_snapshot() -> None:
    records = labelled(of(1000, "ok", "chargeback"))
    whole, first = engine(), engine()
    expected = starvation(whole, records)

    starvation(first, records[:700])
    resumed = Engine(first.config, 0, pickle.loads(pickle.dumps(first.state)))
    told = starvation(resumed, records[700:])

    assert told == expected
    assert fingerprint(resumed.state.starvation) == fingerprint(whole.state.starvation)


def test_nothing_is_read_where_labels_are_true_or_false_or_nobody_wants_to_know() -> None:
    assert not engine(positive=None).state.starvation.reads
    assert not engine(starvation=None).state.starvation.reads


# what is named


def read(texts: list[str], positive: str = "chargeback") -> Unseen:
    unseen = Unseen(positive)
    for n, text in enumerate(texts):
        unseen.read(text, float(n))
    return unseen


def test_texts_that_came_seldom_are_not_named_as_they_may_be_personal() -> None:
    told = read([*of(500, "ok"), "Ada Lovelace", *of(OFTEN - 1, "J. Smith")]).told()

    assert told.endswith('; they are "ok" (500) and 2 other texts')


def test_a_text_that_looks_like_the_positive_one_is_named_however_seldom() -> None:
    told = read([*of(999, "ok"), "charge-back"]).told()

    assert told.endswith('; they are "charge-back" (1) and "ok" (999)')


def test_texts_that_are_all_different_are_told_by_their_number_and_bounded() -> None:
    unseen = read([f"{n}" for n in range(5000)])

    assert unseen.is_due
    assert unseen.told().endswith(f"; they are {MOST} or more other texts")
    assert len(pickle.dumps(unseen)) < 5_000


def test_no_more_than_a_few_texts_are_named_and_none_at_length() -> None:
    told = read(of(1000, *(f"{n}" * 200 for n in range(8)))).told()

    assert told.count("...") == NAMED
    assert told.endswith(" and 3 other texts")
    assert len(told) < 400
