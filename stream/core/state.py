"""All that a task must not lose, in one object that pickles."""

from __future__ import annotations

from collections import Counter
from typing import Any

from learners import registry
from learners.base import Learner, Schema
from learners.baselines import baselines_for
from stream.config.model import Config
from stream.core.adaptation import Adaptation
from stream.core.incidents import Incidents
from stream.core.monitors import Monitors
from stream.core.pending import Pending
from stream.core.problem import judge_for
from stream.core.rejections import Rejections
from stream.core.scores import Scores, Track
from stream.profile import Profile


class TaskState:
    """All that a task must not lose: models, detectors, pending predictions, scores, counts and the input positions.

    A new one is made of the configuration, and of the profile that its detectors start with.
    """

    def __init__(self, config: Config, profile: Profile | None = None) -> None:
        schema = Schema(tuple(config.events.numeric), tuple(config.events.categorical))
        model = config.model
        self.judge = judge_for(
            model.problem,
            threshold=model.threshold,
            absolute=config.detectors.error == "absolute",
            error_scale=config.detectors.error_scale,
        )
        self.champion: Learner[Any] = registry.build(model.learner, model.problem, schema, model.seed)
        self.version = 0
        self.baselines = baselines_for(model.problem)
        self.monitors = Monitors(config, profile)
        self.rejections = Rejections(config)
        self.adaptation = Adaptation(config.adaptation, self.judge)
        self.pending = Pending(config.labels.ttl, config.labels.max_pending)
        self.scores = Scores(["champion", *(name for name, _ in self.baselines)], config.scores.window)
        self.incidents = Incidents(config.alerts.cooldown)
        self.events = Track()
        self.labels = Track()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.stream_time = 0.0
        self.next_offset = 0  # after the newest predicted event
        self.positions: dict[str, int] = {}
