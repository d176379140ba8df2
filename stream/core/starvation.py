"""Whether labels still come as usual, and labels of every class: what is learned and decided without them is stale.

How many labels are to be expected follows from the events of the past and from what is usual of labels: the share of
events that gets one, and how late (`delays.py`). Evidence that they stay away is summed up as Page's CUSUM does, for a
tenth of the usual rate against the usual one: a label that is to be expected adds 0.9, one that comes takes 2.3, and
below 0 it starts anew (Page, "Continuous inspection schemes", Biometrika 41, 1954).

As long as each event gets its label, or not, independently of the others and as often as is usual, e to the power of
each step's evidence is expected to be at most 1: so `run_length` steps, and as many events at least, pass on average
before the evidence reaches ln(run_length) (Lorden, "Procedures for reacting to a change in distribution", Annals of
Mathematical Statistics 42, 1971). Labels that come in batches break that: so evidence must also be twice as large as it
has ever been between two batches, as far back as what is usual was learned from.

Looks fall at certain events, by their number and their times alone, and tell the same wherever spans are cut.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from operator import attrgetter
from typing import Any, Final

from stream.config.health import StarvationConfig
from stream.core.alerts import AlertMaker
from stream.core.arrivals import Arrivals
from stream.core.classes import Classes
from stream.core.delays import Delays, Share, quantile
from stream.core.pending import Joined, Waiting
from stream.core.spells import Spells
from stream.core.unseen import Unseen
from stream.records import Alert, AlertState, Change, Target, Window

LABELS: Final = "labels"
NEVER_SEEN: Final = "never_seen"
EVERY: Final = 128
"""Events between two looks; fewer where they come slowly."""

FEW: Final = 0.25
"""Share of the labels to be expected above which they have not stopped, whatever the evidence."""

SETTLED: Final = 1000
"""Labels that come in a spell after which their rate is what is usual, if it has not become as it was."""

_LOW: Final = 0.1
_STEP: Final = math.log(1.0 / _LOW)
_BACK: Final = 0.5
_BACK_STEP: Final = math.log(_BACK / _LOW)
_LONGER: Final = 2.0
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_TIME: Final = attrgetter("timestamp")
_GONE: Final = 4  # gaps of a class, as long as that which was told, after which it is usual that it does not come


class _Dry:
    """A time in which fewer labels have come than were to be expected: since when, and how many."""

    def __init__(self, since: float, position: int) -> None:
        self.since = since
        self.position = position  # events that had come before
        self.evidence = 0.0
        self.largest = 0.0
        self.back = 0.0
        """Evidence that they come again: at half the usual rate rather than at a tenth of it."""
        self.expected = 0.0
        self.came = 0

    def take(self, expected: float, came: int) -> None:
        """So many labels were to be expected since the last look, and so many came."""
        self.evidence += (1.0 - _LOW) * expected - _STEP * came
        self.largest = max(self.largest, self.evidence)
        self.back = max(0.0, self.back + _BACK_STEP * came - (_BACK - _LOW) * expected)
        self.expected += expected
        self.came += came

    def begin(self) -> None:
        """It is a spell from here on: count the labels that come in it, and what speaks for its end, anew."""
        self.back, self.came = 0.0, 0


class Starvation:
    """Watches the labels of one task. `events` and labels are told in their order, times never go back.

    Memory is bounded; time is O(1) for each record, and some 100 steps at each look.
    """

    def __init__(self, config: StarvationConfig | None, *, classes: bool, positive: str | None = None) -> None:
        """Without a configuration it learns what is usual, and finds nothing. `classes`: whether labels are classes;
        `positive`: the text that means true, where labels are texts and the others mean false.
        """
        limits = config or StarvationConfig()
        self._judges = config is not None
        self._after = limits.after
        self._run_length = limits.run_length
        self._needed = math.log(limits.run_length)
        self._named = [] if limits.delay is None else [Share(limits.delay, limits.share)]  # what to expect at first
        self._arrivals = Arrivals()
        self._delays = Delays()
        self._classes = Classes() if classes else None
        self._spells = Spells("label_starvation")
        self._starved = False
        self._shares: list[Share] = []
        self._reached: list[int] = []  # of each share, the events that were as old at the last look
        self._known = False
        self._dry = _Dry(0.0, 0)
        self._usual_dry = [0.0, 0.0]  # largest evidence in a dry time that was none to tell of: now, and further back
        self._vanished: dict[Target, int] = {}  # with the gap that was told
        self._unseen = None if positive is None or config is None else Unseen(positive)
        self._came = 0
        self._last: tuple[int, float] | None = None
        self._look_at, self._look_by = 1, math.inf  # events, time
        self._relearn_at = 0

    # records

    def arrived(
        self, events: Sequence[Waiting], at_once: Joined | None = None, texts: Sequence[str | None] = ()
    ) -> None:
        """Events were taken. `at_once` are their labels, if each brought its own with it, `texts` how these are written
        as far as that was not read before.
        """
        arrivals, looked, told = self._arrivals, 0, 0
        if events and not arrivals.n:
            self._begin(events[0].timestamp)
        while looked < len(events):
            by_time = bisect_left(events, self._look_by, looked, key=_TIME)
            look = min(looked + self._look_at - arrivals.n - 1, by_time)
            arrivals.add(map(_TIME, events[looked : look + 1]))
            if at_once is not None:  # the label of an event comes after the look at it
                self._came_with(at_once.part(told, look), texts[told:look])
                told = look
            if look < len(events):
                self._look(events[look].timestamp, events[look].offset)
            looked = look + 1
        if at_once is not None:
            self._came_with(at_once.part(told, len(events)), texts[told:])

    def _came_with(self, joined: Joined, texts: Sequence[str | None]) -> None:
        self.came(joined)
        if self.reads:
            for text, time in zip(texts, joined.times, strict=False):
                if text is not None:
                    self.read(text, time)

    @property
    def reads(self) -> bool:
        """Whether it has yet to be told how labels are written."""
        return self._unseen is not None and not self._unseen.seen

    def read(self, text: str, time: float) -> None:
        """A label that is written like this was taken, whether or not its event is known."""
        if self._unseen is not None:
            self._unseen.read(text, time)

    def came(self, joined: Joined) -> None:
        """Labels have found their events."""
        waiting, labels, times, offsets = joined
        if not labels:
            return
        self._came += len(labels)
        self._last = offsets[-1], times[-1]
        self._delays.add(map(_TIME, waiting), times)
        if self._classes is not None:
            self._classes.add(labels, offsets, times)

    # what others ask

    @property
    def holds(self) -> bool:
        """Whether evidence is stale, so that nothing should be decided by it."""
        return bool(self._spells)

    @property
    def why(self) -> str:
        """What is missing, in words; empty while nothing is."""
        missing = ["labels"] if self._starved else []
        return " and ".join([*missing, *(f"labels of class {name}" for name in self.vanished_classes)])

    def stale_since(self, time: float) -> float | None:
        """Since when labels are missing, judged at a time not before that of the newest event; None as long as they
        come as usual. The time of the first event where none has ever come.
        """
        if self._starved:
            return self._dry.since
        dry = copy(self._dry)
        dry.take(self._due(self._by_age(time)), self._came)
        return dry.since if self._judges and self._is_spell(dry, time) else None

    def told(self, maker: AlertMaker, version: int) -> list[Alert]:
        """The alerts that are due now."""
        return self._spells.told(maker, version)

    @property
    def starved(self) -> bool:
        """Whether labels have stopped coming."""
        return self._starved

    @property
    def vanished(self) -> int:
        """How many classes have vanished, or never came."""
        return len(self.vanished_classes)

    @property
    def vanished_classes(self) -> tuple[str, ...]:
        """The names of those."""
        never = [self._unseen.positive] if self._unseen is not None and NEVER_SEEN in self._spells else []
        return (*map(_name, self._vanished), *never)

    @property
    def joined(self) -> float:
        """The usual share of events that get a label."""
        return math.fsum(one.share for one in self._shares)

    def delays(self) -> dict[str, float]:
        """Quantiles of the usual delay of labels, in seconds, by name. Empty before any has come."""
        found = {name: quantile(self._shares, q) for name, q in _QUANTILES.items()}
        return {name: delay for name, delay in found.items() if delay is not None}

    # looks

    def _begin(self, time: float) -> None:
        self._delays.restart(time, 0)
        self._dry = _Dry(time, 0)
        self._use(self._named, time)

    def _look(self, time: float, offset: int) -> None:
        at = offset, time
        reached = self._by_age(time)
        self._dry.take(self._due(reached), self._came)
        self._came, self._reached = 0, reached
        if self._judges:
            if self._starved:
                self._look_back(at)
            else:
                self._weigh(at)
            if self._classes is not None:
                self._look_at_classes(self._classes, at)
            if self._unseen is not None:
                self._look_for_positive(self._unseen, at)
        if not self._starved and self._arrivals.n >= self._relearn_at:
            self._relearn(time)
        self._look_at = self._arrivals.n + EVERY
        self._look_by = time + self._after / 8

    def _by_age(self, time: float) -> list[int]:
        """Of each usual age, the events that are as old at a time."""
        by = self._arrivals.by
        return [by(time - age) for age, _ in self._shares]

    def _due(self, reached: list[int]) -> float:
        """The labels to be expected between the last look and when so many events are as old as is usual."""
        since = zip(self._shares, reached, self._reached, strict=True)
        return sum(share * (now - before) for (_, share), now, before in since if now > before)

    def _weigh(self, at: tuple[int, float]) -> None:
        """Whether labels have stopped, or have come again before that is to be told."""
        dry = self._dry
        if dry.evidence <= 0.0 or dry.back >= self._needed:
            if at[1] - dry.since >= self._after / _LONGER:  # else it is too short to matter
                self._usual_dry[0] = max(self._usual_dry[0], dry.largest)
            self._dry = _Dry(at[1], self._arrivals.n)
        elif self._is_spell(dry, at[1]):
            self._starved = True
            self._tell_begin(dry, at)
            dry.begin()

    def _is_spell(self, dry: _Dry, time: float) -> bool:
        judged = self._known or bool(self._named)
        few = dry.came <= FEW * dry.expected
        return judged and few and dry.evidence >= self._threshold and time - dry.since >= self._after

    @property
    def _threshold(self) -> float:
        return max(self._needed, _LONGER * max(self._usual_dry))

    def _look_back(self, at: tuple[int, float]) -> None:
        """Whether a spell is over: labels come as usual again, or have come for long."""
        if self._dry.back >= self._needed:
            self._end("recovered", "labels come again", at)
        elif self._dry.came >= SETTLED:
            self._end("settled", "so few labels are what is usual now", at)
            self._known = False
            self._usual_dry = [0.0, 0.0]
            self._use([], at[1])

    def _end(self, state: AlertState, detail: str, at: tuple[int, float]) -> None:
        self._spells.end(LABELS, state, at, detector="label_rate", feature=LABELS, detail=detail)
        self._starved, self._dry = False, _Dry(at[1], self._arrivals.n)
        self._delays.restart(at[1], self._arrivals.n)

    def _relearn(self, time: float) -> None:
        """Take what is usual from the labels that have come, if these tell."""
        arrivals = self._arrivals
        self._relearn_at = arrivals.n + max(EVERY, arrivals.n // 64 if arrivals.n < 10_000 else 1024)
        shares = self._delays.shares(arrivals, time)
        late = quantile(shares, 0.9) or 0.0
        known = self._delays.known(late, time)
        if known or not (self._known or self._named):
            self._use(shares, time)
            self._known = self._known or known
        if self._delays.move_on(late, time, arrivals.n):
            self._usual_dry = [0.0, self._usual_dry[0]]

    def _use(self, shares: list[Share], time: float) -> None:
        self._shares = shares
        self._reached = self._by_age(time)

    def _look_at_classes(self, classes: Classes, at: tuple[int, float]) -> None:
        for label, one in list(classes.known.items()):
            gap, told = classes.gap(label), self._vanished.get(label)
            name = _name(label)
            subject: dict[str, Any] = {"detector": "class_share", "feature": "class", "detail": name}
            if told is not None:
                if gap < told or gap >= _GONE * told:
                    del self._vanished[label]
                    self._spells.end(f"class {name}", "recovered" if gap < told else "settled", at, **subject)
                if gap >= _GONE * told:
                    del classes.known[label]
                continue
            longest = one.longest(self._run_length * len(classes.known))
            if gap >= longest and at[1] - one.time >= self._after:
                self._vanished[label] = gap
                self._spells.begin(
                    f"class {name}",
                    at,
                    **subject,
                    direction="down",
                    before=one.share,
                    after=0.0,
                    statistic=float(gap),
                    threshold=longest,
                    p_value=math.exp(gap * math.log1p(-one.share)) if one.share < 1.0 else 0.0,
                    expected_events_per_false_alarm=self._run_length,
                    change=Change(gap, one.offset, one.time),
                    reference=Window(one.seen, last_offset=one.offset, last_ts=one.time, profile={name: one.share}),
                    current=Window(gap, first_ts=one.time, last_ts=at[1], profile={name: 0.0}),
                )

    def _look_for_positive(self, unseen: Unseen, at: tuple[int, float]) -> None:
        subject: dict[str, Any] = {"detector": NEVER_SEEN, "feature": "class"}
        if unseen.seen:
            self._unseen = None
            if NEVER_SEEN in self._spells:
                self._spells.end(NEVER_SEEN, "recovered", at, **subject, detail=unseen.over())
        elif unseen.is_due and NEVER_SEEN not in self._spells:
            profile = {text: n / unseen.labels for text, n in unseen.named.items()}
            self._spells.begin(
                NEVER_SEEN,
                at,
                **subject,
                after=0.0,
                change=Change(unseen.labels, None, unseen.first),
                current=Window(unseen.labels, first_ts=unseen.first, last_ts=at[1], profile=profile),
                detail=unseen.told(),
            )

    def _tell_begin(self, spell: _Dry, at: tuple[int, float]) -> None:
        usual = self.joined
        offset, last = self._last or (None, None)
        events = self._arrivals.n - spell.position
        now = usual * spell.came / spell.expected
        self._spells.begin(
            LABELS,
            at,
            detector="label_rate",
            feature=LABELS,
            direction="down",
            before=usual,
            after=now,
            statistic=spell.evidence,
            threshold=self._threshold,
            expected_events_per_false_alarm=self._run_length,
            change=Change(events, offset, spell.since),
            reference=Window(
                self._delays.labels, last_offset=offset, last_ts=last, profile={"share": usual, **self.delays()}
            ),
            current=Window(
                spell.came, first_ts=spell.since, last_ts=at[1], profile={"share": now, "expected": spell.expected}
            ),
            detail=f"{spell.came} labels where {spell.expected:.0f} were to be expected",
        )


def _name(label: Target) -> str:
    """A class, as people write it."""
    return str(label).lower() if isinstance(label, bool) else str(label)
