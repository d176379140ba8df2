"""What happens on concept drift: challengers learn beside the champion, and one that proves better is proposed.

They are judged on the same labelled events, each predicted before its label was known, by a test that may be looked at
at any time (see `Duel`). After a promotion the champion before goes on in shadow and can win in the same way. Decisions
fall at every `CHECK_EVERY`-th label, and the owner hands labels over in parts that end there while there is something
to decide: so a promotion is asked for, and a challenger retires, at the same record however the stream is cut.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from learners import registry
from learners.base import Learner
from stream.config.adaptation import Policy
from stream.config.model import Config
from stream.core.contestants import Contestant, Origin, Trained, Win, trained_on
from stream.core.duel import Duel
from stream.core.library import SAMPLE, Kept, Labelled, Library
from stream.core.lifecycle import Cause, Stage, moved
from stream.core.pending import Joined
from stream.core.problem import Judge
from stream.records import Features, Promote

CHECK_EVERY = 50
"""Labels between two decisions."""
_CALM = 500
"""Labels between two looks at what the champion's concept is like."""
_PUSHED = 3
"""Models from outside that compete at a time; the oldest gives way."""
_PUSHED_SHARE = 0.1
"""Of the error probability, what is kept for them."""
_STARTED: tuple[Origin, ...] = ("fresh", "copy", "library", "reset")
"""What a drift or a warning starts."""


class _Rules(NamedTuple):
    """What of the configuration is asked for all the time; snapshots hold no configuration."""

    policy: Policy
    promotes: bool
    start: str
    challengers: tuple[Origin, ...]
    buffer: int
    error: float
    min_labels: int
    max_labels: int
    margin: float
    probation: int


class Adaptation:
    """Owns the contestants and the library. Asks for one promotion at a time; the driver answers with a command."""

    def __init__(self, config: Config, champion: Learner[Any], judge: Judge) -> None:
        self._rules = _Rules(*(getattr(config.adaptation, name) for name in _Rules._fields))
        self._recipe = config.model.learner
        self._recipes = (config.model.learner, *config.adaptation.pool) if config.adaptation.pool else ()
        self._judge = judge
        self._generation = 0
        self._taught = 0
        self._recent: deque[tuple[Features, Any, Any, int]] = deque(
            maxlen=config.adaptation.buffer if self.reacts else 0
        )
        self.trained: Trained = None
        """What the champion has learned from in this task."""
        self._calm: tuple[Labelled, ...] = ()
        self._as_it_was: Learner[Any] | None = None  # the champion when the drift was noticed: it goes on learning
        self.library = Library(config.adaptation.library, judge)
        self.contestants: list[Contestant] = []
        self.won: Win | None = None
        self._fill_pool(champion, 0)

    @property
    def reacts(self) -> bool:
        """Whether drift starts anything."""
        return self._rules.promotes

    @property
    def learns(self) -> bool:
        """Whether the champion learns from labels."""
        return self._rules.policy != "alert_only"

    @property
    def champion_stage(self) -> Stage:
        """The champion is on probation for as long as the one before it looks on."""
        looked_on = any(one.origin == "previous" for one in self.contestants)
        return Stage.PROBATION if looked_on else Stage.CHAMPION

    @property
    def proposed(self) -> Contestant | None:
        """The one whose promotion was asked for and is not answered yet."""
        return next((one for one in self.contestants if one.stage is Stage.PROPOSED), None)

    def proposal(self, version: int) -> Promote | None:
        """The promotion that was asked for and is not answered yet, while this version serves."""
        best, won = self.proposed, self.won
        return None if best is None or won is None else best.asking(won, version)

    # what starts challengers

    def start(self, champion: Learner[Any], next_offset: int, changed_n: int, *, warning: bool) -> bool:
        """Start challengers, which predict from `next_offset` on, with what the newest labels, as many as have come
        since the change, teach them; whether any did start.

        Those that started before and are still young go on; of a warning, the drift confirms them.
        """
        rules, reset = self._rules, self._rules.policy == "reset"
        if not self.reacts or (warning and rules.start == "drift") or self.proposed is not None:
            return False
        started = [one for one in self.contestants if one.origin in _STARTED]
        for one in started:
            one.warned_at = self._taught if warning and one.warned_at is not None else None
        if any(one.stage is Stage.TRAINING for one in started):
            if reset and not warning:
                started[0].origin = "reset"
            return False
        if not started and self.library.size:
            self._as_it_was = copy.deepcopy(champion)
        for one in started:
            self._retire(one, Cause.SUPERSEDED)
        recent = self._newest(changed_n)
        origins = rules.challengers
        if reset:
            origins = ("fresh",) if warning else ("reset",)
        recalled = self.library.fitting(recent)
        error = self._share / (len(origins) + len(recalled))
        for origin in origins:
            learner = copy.deepcopy(champion) if origin == "copy" else self._fresh(champion)
            learner.learn([one.features for one in recent], [one.label for one in recent])
            entered = self._enter(learner, origin, next_offset, error)
            entered.learned = len(recent)
            entered.trained = trained_on(None, [one.offset for one in recent])
        for model in recalled:
            stage = moved(Stage.RETIRED, Cause.RECALLED)
            self._enter(model.learner, "library", next_offset, error, version=model.version, stage=stage)
        if warning:
            for one in self.contestants:
                if one.origin in _STARTED:
                    one.warned_at = self._taught
        return True

    def _newest(self, n: int) -> list[Labelled]:
        """The newest `n` labelled events, as far as they are kept."""
        return [Labelled(*one) for one in islice(self._recent, max(0, len(self._recent) - n), None)]

    def enter(self, learner: Learner[Any], version: int, next_offset: int) -> None:
        """Let a model from outside, which the store has as this version, compete from `next_offset` on."""
        pushed = [one for one in self.contestants if one.origin == "pushed" and one.stage is not Stage.PROPOSED]
        if len(pushed) >= _PUSHED:
            self._retire(pushed[0], Cause.SUPERSEDED)
        error = self._rules.error * _PUSHED_SHARE / _PUSHED
        self._enter(learner, "pushed", next_offset, error, version=version)

    def leave(self, version: int) -> None:
        """Let the model that came from outside as this version compete no more, unless its promotion was asked for."""
        for one in list(self.contestants):
            if one.origin == "pushed" and one.version == version and one.stage is not Stage.PROPOSED:
                self._retire(one, Cause.WITHDRAWN)

    @property
    def versions(self) -> frozenset[int]:
        """Versions of the store that live on here, in the champion's shadow or in the library."""
        found = {one.version for one in self.contestants} | {model.version for model in self.library.models}
        return frozenset(found - {0})

    def holding(self, version: int) -> Learner[Any] | None:
        """The model of one of these versions, with all that it has learned: itself where it competes or looks on, a
        copy of what the library has otherwise; None for another version.
        """
        competing = (one.learner for one in self.contestants if one.version == version)
        kept = (copy.deepcopy(model.learner) for model in self.library.models if model.version == version)
        return next(chain(competing, kept), None)

    def _enter(
        self,
        learner: Learner[Any],
        origin: Origin,
        first_offset: int,
        error: float,
        *,
        version: int = 0,
        stage: Stage = Stage.TRAINING,
    ) -> Contestant:
        self._generation += 1
        entered = Contestant(
            self._generation,
            learner,
            origin,
            first_offset=first_offset,
            error=error,
            duel=self._duel(),
            version=version,
            stage=stage,
        )
        self.contestants.append(entered)
        return entered

    @property
    def _share(self) -> float:
        """What those that a drift starts may err, together; and the pool, together, where there is one."""
        return self._rules.error * (1.0 - _PUSHED_SHARE) / (2.0 if self._recipes else 1.0)

    def _fresh(self, champion: Learner[Any]) -> Learner[Any]:
        """An untrained model of the champion's recipe, or of the configured one where that is known elsewhere only."""
        recipe = champion.config if champion.config in self._recipes else self._recipe
        return registry.build(recipe, champion.problem, champion.schema, champion.seed + self._generation + 1)

    def _duel(self) -> Duel:
        return Duel(self._judge.largest_loss, self._rules.margin)

    def _fill_pool(self, champion: Learner[Any], next_offset: int) -> None:
        """Let every recipe compete that the champion is not of."""
        for recipe in self._recipes:
            of_it = [one for one in self.contestants if self._belongs_to_pool(one) and one.learner.config == recipe]
            if champion.config == recipe:
                for one in of_it:
                    if one.origin == "pool":
                        self._retire(one, Cause.SWAPPED)
            elif not of_it:
                learner = registry.build(recipe, champion.problem, champion.schema, champion.seed)
                self._enter(learner, "pool", next_offset, self._pool_share)

    def _belongs_to_pool(self, one: Contestant) -> bool:
        """Whether it is of the pool, or will be when its successor's probation has passed."""
        return one.origin == "pool" or (one.origin == "previous" and one.learner.config in self._recipes)

    @property
    def _pool_share(self) -> float:
        return self._share / (len(self._recipes) - 1)

    # events and labels

    def predict(self, rows: Sequence[Features]) -> list[dict[int, Any] | None]:
        """What the contestants make of events, by their numbers; None without any."""
        if not self.contestants:
            return [None] * len(rows)
        numbers = [one.number for one in self.contestants]
        columns = zip(*(one.learner.predict(rows) for one in self.contestants), strict=True)
        return [dict(zip(numbers, made, strict=True)) for made in columns]

    def until_decision(self) -> int:
        """Labels up to the next decision."""
        return CHECK_EVERY - self._taught % CHECK_EVERY

    @property
    def decides(self) -> bool:
        """Whether there may be something to decide then."""
        return bool(self.contestants) or self._rules.policy == "reset"

    def step(self, joined: Joined, *, held: bool = False, learned: bool = False) -> Win | None:
        """Judge and teach the contestants with labelled events, and decide where decisions fall; say when one has won.

        They learn from every label since their start, unless they have `learned` already, and are compared on the
        events that they have themselves predicted. While promotions are `held` only the champion before this one may
        win: who goes back to what was proven needs no label but those that told against the new one.
        """
        done, won = 0, None
        while done < len(joined.labels):
            part = joined.part(done, min(len(joined.labels), done + self.until_decision()))
            done += len(part.labels)
            self._compare(part)
            if not learned:
                rows = [waiting.features for waiting in part.waiting]
                for one in self.contestants:
                    one.learner.learn(rows, part.labels)
            offsets = [waiting.offset for waiting in part.waiting]
            for one in self.contestants:
                one.learned += len(part.labels)
                one.trained = trained_on(one.trained, offsets)
            self.trained = trained_on(self.trained, offsets) if self.learns else None
            self._taught += len(part.labels)
            if self._recent.maxlen:
                waited = zip(part.waiting, part.labels, strict=True)
                self._recent.extend([(one.features, one.outputs[0], label, one.offset) for one, label in waited])
            if self._taught % CHECK_EVERY == 0:
                won = self._decide(part.place(-1), held) or won
        return won

    def _compare(self, joined: Joined) -> None:
        if not self.contestants:
            return
        ours = self._judge.losses([waiting.outputs[0] for waiting in joined.waiting], joined.labels)
        for one in self.contestants:
            both = [
                index
                for index, waiting in enumerate(joined.waiting)
                if waiting.rivals is not None and one.number in waiting.rivals and waiting.offset >= one.first_offset
            ]
            rivals = [(joined.waiting[index].rivals or {})[one.number] for index in both]
            theirs = self._judge.losses(rivals, [joined.labels[index] for index in both])
            one.duel.record([ours[index] for index in both], theirs)

    # decisions

    def _decide(self, at: tuple[int, float], held: bool) -> Win | None:
        """Move contestants on, and choose the one that has won, if any has."""
        rules = self._rules
        for one in list(self.contestants):
            n = one.duel.n
            if one.stage is Stage.TRAINING and n >= rules.min_labels:
                one.move(Cause.COMPARED)
            if one.warned_at is not None and self._taught - one.warned_at > max(rules.min_labels, rules.buffer):
                self._retire(one, Cause.FALSE_WARNING)
        confirmed = [one for one in self.contestants if one.warned_at is None]
        winners = [one for one in confirmed if one.wins and (not held or one.origin == "previous")]
        if winners and self.won is None:
            best = max(winners, key=_advantage)
            best.move(Cause.RESET if best.origin == "reset" else Cause.WON)
            self.won = best.win(at)
            return self.won
        for one in list(self.contestants):
            n = one.duel.n
            if one.stage is Stage.SHADOW and n >= rules.probation:
                self._release(one, Cause.HELD_UP)
            elif one.origin == "library" and one.stage is Stage.CANDIDATE and one.duel.worse(one.error):
                self._retire(one, Cause.PROVED_WORSE)
            elif one.stage is Stage.CANDIDATE and n >= rules.max_labels:
                self._release(one, Cause.OUTLIVED)
        if self._taught % _CALM == 0 and all(one.origin in ("pool", "pushed") for one in self.contestants):
            self._calm = tuple(self._newest(SAMPLE))
        return None

    def _release(self, one: Contestant, cause: Cause) -> None:
        """Its chance has passed: let it go on in the pool if it belongs there, and retire otherwise."""
        if not self._belongs_to_pool(one):
            self._retire(one, cause)
            return
        self._keep(one)
        one.origin, one.error = "pool", self._pool_share
        one.begin_anew(one.first_offset, self._duel())

    def _retire(self, one: Contestant, cause: Cause) -> None:
        one.move(cause)
        self.contestants.remove(one)
        self._keep(one)

    def _keep(self, one: Contestant) -> None:
        if one.kept is not None:
            self.library.add(one.kept)
            one.kept = None

    # answers

    def refused(self) -> None:
        """The promotion that was asked for was refused."""
        self.won = None
        one = self.proposed
        if one is not None:
            self._release(one, Cause.REFUSED)

    def swapped(self, before: Learner[Any], version: int, champion: Learner[Any], cause: str, next_offset: int) -> None:
        """Another champion serves from `next_offset` on: the one `before`, which was `version`, goes on in its shadow.

        What competed with the one before is over; the pool, and what was pushed, competes with the new one.
        """
        self.won, taught, self.trained = None, self.trained, None
        stage = moved(self.champion_stage, Cause.ROLLED_BACK if cause == "rollback" else Cause.SWAPPED)
        for one in list(self.contestants):
            if one.stage is Stage.PROPOSED and one.reason == cause:  # itself or, after a crash, its copy of the store
                one.move(Cause.RESTORED if one.origin == "previous" else Cause.PROMOTED)
                self._crown(one)
            elif one.learner is champion:
                one.move(Cause.CALLED_BACK)
                self._crown(one)
            elif one.origin in ("pool", "pushed"):
                one.begin_anew(next_offset, self._duel())
            else:
                self._retire(one, Cause.SWAPPED)
        if version and cause != "rollback":
            self._follow(before, version, stage, next_offset, taught)
        self._as_it_was, self._calm = None, ()
        self._fill_pool(champion, next_offset)

    def _crown(self, one: Contestant) -> None:
        self.contestants.remove(one)
        self.trained = one.trained

    def _follow(self, before: Learner[Any], version: int, stage: Stage, next_offset: int, trained: Trained) -> None:
        """Let the champion before look on; without probation it retires at once."""
        kept = None
        if self.library.size:
            kept = Kept(self._as_it_was or copy.deepcopy(before), version, self._calm)
        if self.reacts and self._rules.probation:
            shadow = self._enter(before, "previous", next_offset, self._rules.error, version=version, stage=stage)
            shadow.kept, shadow.trained = kept, trained
        elif kept is not None:
            self.library.add(kept)


def _advantage(one: Contestant) -> float:
    champion, challenger = one.duel.means() if one.duel.n else (0.0, 0.0)
    return champion - challenger
