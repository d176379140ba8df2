"""All that a task must not lose, in one object that pickles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from learners import registry
from learners.base import Learner, Problem, Schema
from learners.baselines import baselines_for
from stream.config.model import Config
from stream.core.adaptation import Adaptation
from stream.core.fit import Fit, Model, running
from stream.core.incidents import Incidents
from stream.core.monitors import Monitors
from stream.core.pending import Pending
from stream.core.problem import judge_for
from stream.core.rejections import Rejections
from stream.core.scores import Scores, Track
from stream.core.starvation import Starvation
from stream.core.tuning import Tuner
from stream.profile import Profile
from stream.records import Challenge, Features, Swap, Target, Withdraw

FORMAT = 4
"""Version of what a state is made of; a state that was saved with another is not taken up. Raise it when an attribute
of the state, or of anything in it, is added, removed or comes to mean something else (`tests/golden/shape.py`).
"""


class TaskState:
    """All that a task must not lose: models, detectors, pending predictions, scores, counts and the input positions.

    A new one is made of the configuration, and of the profile that its detectors start with.
    """

    def __init__(self, config: Config, profile: Profile | None = None) -> None:
        schema = Schema(tuple(config.events.numeric), tuple(config.events.categorical))
        model = config.model
        absolute = config.detectors.error == "absolute"
        self.judge = judge_for(model, absolute=absolute, error_scale=config.detectors.error_scale)
        self.champion: Learner[Any] = registry.build(model.learner, model.problem, schema, model.seed)
        self.judge.serve(self.champion.learned)
        self.version = 0
        self.baselines = baselines_for(model.problem)
        self.monitors = Monitors(config, profile)
        self.rejections = Rejections(config)
        self.adaptation = Adaptation(config, self.champion, self.judge)
        self.pushed: frozenset[int] = frozenset()  # versions that came as challengers and were not withdrawn
        self.pending = Pending(config.labels.ttl, config.labels.max_pending)
        sources = ["champion", *(name for name, _ in self.baselines)]
        self.scores = Scores(sources, config.scores.window, config.scores.rare)
        self.tuner = Tuner(model.decision, self.judge, self.scores)
        classes = model.problem is not Problem.REGRESSION
        self.starvation = Starvation(config.labels.starvation, classes=classes, positive=model.positive)
        self.fit = Fit(config.fit, classes=classes)
        self.incidents = Incidents(config.alerts.cooldown)
        self.events = Track()
        self.labels = Track()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.stream_time = 0.0
        self.next_offset = 0  # after the newest predicted event
        self.positions: dict[str, int] = {}

    @property
    def models(self) -> list[Model]:
        """The models that run."""
        return list(running(self.version, self.champion, self.baselines, self.adaptation.contestants))

    def learn(self, rows: Sequence[Features], labels: Sequence[Target]) -> None:
        """Let champion and baselines learn; whoever competes with them learns when it was judged."""
        if self.adaptation.learns:
            self.champion.learn(rows, labels)
        for _, learner in self.baselines:
            learner.learn(rows, labels)

    @property
    def held(self) -> frozenset[int]:
        """Versions of the store that live on here beside the champion, and are to be kept there."""
        return self.adaptation.versions

    def holding(self, version: int) -> Learner[Any] | None:
        """The model that lives on here as this version, with all that it has learned; None if none does."""
        return self.adaptation.holding(version)

    def take_part(self, command: Challenge | Withdraw) -> None:
        """Let a version of the store compete from the next event on, or compete no more."""
        if isinstance(command, Challenge):
            self.pushed |= {command.version}
            self.adaptation.enter(command.learner, command.version, self.next_offset)
        else:
            self.pushed -= {command.version}
            self.adaptation.leave(command.version)

    def serve(self, swap: Swap) -> None:
        """Predict with another version of the model, or with the same one as another version."""
        before, champion = self.version, self.champion
        self.champion, self.version = swap.learner, swap.version
        self.judge.serve(swap.learner.learned)
        if swap.learner is not champion:
            self.adaptation.swapped(champion, before, swap.learner, swap.cause, self.next_offset)
        self.monitors.forget_champion()
        self.incidents.swapped()

    def count(self, topic: str, outcome: str, n: int = 1) -> None:
        """So many more records of a topic ended like this."""
        if n:
            self.counts[topic, outcome] += n

    def reached(self, topic: str, offset: int) -> None:
        """All records of a topic up to this one are taken."""
        self.positions[topic] = max(offset + 1, self.positions.get(topic, 0))
