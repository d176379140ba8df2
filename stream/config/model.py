"""The configuration of a service: one YAML file, these models. docs/config.md is made from their descriptions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from learners.base import LearnerError, Problem, Schema
from learners.registry import AnyLearnerConfig, build
from stream.config.adaptation import AdaptationConfig
from stream.config.alarms import AlarmsConfig
from stream.config.budget import divide, one_of
from stream.config.decision import DecisionConfig
from stream.config.detectors import DetectorsConfig
from stream.config.events import EventsConfig, LabelsConfig
from stream.config.fields import Duration, Section, TopicName, Words
from stream.config.health import FitConfig
from stream.config.history import HistoryConfig
from stream.config.kafka import KafkaConfig
from stream.config.redis import RedisConfig
from stream.config.references import ReferencesConfig
from stream.config.runtime import MergeConfig, RuntimeConfig
from stream.config.security import SecurityConfig
from stream.config.tracing import TracingConfig
from stream.config.web import HttpConfig
from stream.config.webhooks import MOST, WebhookConfig

_APP: Final = re.compile(r"^[a-z0-9][a-z0-9_-]*$")


class TopicsConfig(Section):
    """Names of the topics."""

    events: TopicName = Field(description="events to predict, one JSON object a record")
    labels: TopicName | None = Field(
        None, description="labels for event ids; same partition count as `events`; left out: labels come inline"
    )
    predictions: TopicName = Field(description="predictions go here, keyed like their events")
    alerts: TopicName = Field(description="drift alerts, swaps and rollbacks go here")
    dead_letters: TopicName = Field(description="records that cannot be used go here, with the reason in headers")
    journal: TopicName | None = Field(
        None,
        description="the order in which records were taken goes here, for resuming and explaining; same partition "
        "count as `events`; `driftline-{app}-journal` when left out",
    )
    audit: TopicName | None = Field(
        None, description="who changed what by hand goes here; `driftline-{app}-audit` when left out"
    )

    @model_validator(mode="after")
    def _no_topic_twice(self) -> TopicsConfig:
        named = (self.events, self.labels, self.predictions, self.alerts, self.dead_letters, self.journal, self.audit)
        names = [name for name in named if name]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"topic {twice[0]!r} is used for two purposes; give each its own topic")
        return self


class ModelConfig(Section):
    """What is predicted, and with what."""

    name: Annotated[str, Words("letters, digits, dots, underscores and hyphens, a letter or digit first")] = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the model in the registry"
    )
    problem: Problem = Field(description="binary, multiclass or regression")
    positive: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="binary only: the label text that means true, and every other false; left out: labels are "
        "true/false or 1/0",
    )
    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="binary only: probability from which the prediction is true",
    )
    decision: DecisionConfig | None = Field(
        None, description="decisions by what mistakes cost, or by recent labels; left out: by `threshold`, or likeliest"
    )
    learner: AnyLearnerConfig = Field(description="the learner; see its kinds below")
    seed: int = Field(1, ge=0, description="seed of all random choices")

    @model_validator(mode="after")
    def _positive_only_for_binary(self) -> ModelConfig:
        if self.positive is not None and self.problem is not Problem.BINARY:
            raise ValueError(f"`positive` is for binary problems; this one is {self.problem.value}: remove it")
        return self

    @model_validator(mode="after")
    def _decisions_can_be_made(self) -> ModelConfig:
        decision = self.decision
        if decision is None:
            return self
        if self.problem is Problem.REGRESSION:
            raise ValueError("`decision` is for classes; this problem is regression: remove it")
        if self.problem is Problem.MULTICLASS:
            if decision.tune is not None:
                raise ValueError("decision.tune: only binary problems have a threshold; remove it, or give costs")
            return self
        decision.check_binary()
        if decision.costs and "threshold" in self.model_fields_set:
            raise ValueError("`threshold` and `decision.costs` both say when a prediction is true; remove one")
        return self

    @property
    def outputs(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What detectors see of a prediction: the names of its numbers and of its categories."""
        return ("score",), () if self.problem is Problem.REGRESSION else ("class",)


class AlertsConfig(Section):
    """When an alert is held back. One drift is one alert until it is over, whatever stands here (docs/alerts.md)."""

    cooldown: Duration = Field(
        3600.0,
        ge=0,
        description="time after an alert of a drift within which another drift of the same kind, feature and segment "
        "is not told; it is told then if it is still there",
    )


class ScoresConfig(Section):
    """Prequential scores."""

    window: int = Field(2000, ge=50, le=1_000_000, description="labelled events that the windowed scores look back on")
    rare: int = Field(
        200,
        ge=1,
        le=100_000,
        description="newest labels of each class kept beyond the window, for recall and precision by class, the area "
        "under the precision-recall curve, costs and the threshold",
    )


class AuditConfig(Section):
    """What predictions carry for an auditor."""

    features: bool = Field(False, description="write the features that were used into each prediction")


class Config(Section):
    """A Driftline service."""

    app: Annotated[str, Words("lower-case letters, digits, underscores and hyphens, a letter or digit first")] = Field(
        pattern=_APP.pattern, description="name of the service; prefix of its keys in Redis"
    )
    kafka: KafkaConfig = Field(default_factory=KafkaConfig, description="the broker")
    topics: TopicsConfig = Field(description="names of the topics")
    events: EventsConfig = Field(description="how to read an event")
    labels: LabelsConfig = Field(default_factory=LabelsConfig, description="how to read labels and how long to wait")
    merge: MergeConfig = Field(default_factory=MergeConfig, description="merging events and labels on time")
    model: ModelConfig = Field(description="what is predicted, and with what")
    detectors: DetectorsConfig = Field(default_factory=DetectorsConfig, description="what watches for drift")
    alarms: AlarmsConfig | None = Field(
        None, description="false-alarm budget over all detectors; left out: each is as its own section says"
    )
    references: ReferencesConfig = Field(default_factory=ReferencesConfig, description="references from the start")
    adaptation: AdaptationConfig = Field(default_factory=AdaptationConfig, description="what happens on concept drift")
    alerts: AlertsConfig = Field(default_factory=AlertsConfig, description="when alerts are held back")
    scores: ScoresConfig = Field(default_factory=ScoresConfig, description="prequential scores")
    fit: FitConfig | None = Field(
        default_factory=FitConfig, description="what watches for over- and underfitting; null: nothing does"
    )
    history: HistoryConfig | None = Field(
        default_factory=HistoryConfig, description="what the page and the API tell of the past; null: nothing is kept"
    )
    redis: RedisConfig = Field(default_factory=RedisConfig, description="the model store")
    security: SecurityConfig = Field(default_factory=SecurityConfig, description="trust in models")
    http: HttpConfig = Field(default_factory=HttpConfig, description="page, API, metrics and health")
    tracing: TracingConfig | None = Field(None, description="traces by OpenTelemetry; left out: none")
    webhooks: list[WebhookConfig] = Field([], max_length=MOST, description="where alerts are posted to")
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="exactly_once: outputs and positions in one transaction; at_least_once: lower latency, but outputs "
        "are made again after a crash",
    )
    runtime: RuntimeConfig = Field(default_factory=RuntimeConfig, description="the worker's rhythm")
    audit: AuditConfig = Field(default_factory=AuditConfig, description="what predictions carry for an auditor")

    @model_validator(mode="before")
    @classmethod
    def _own_topics_are_named_after_the_app(cls, data: Any) -> Any:
        """Two services that share a broker must share neither a journal nor an audit."""
        topics = data.get("topics") if isinstance(data, dict) else None
        if isinstance(topics, dict) and _APP.match(str(data.get("app"))):
            named = {
                name: f"driftline-{data['app']}-{name}" for name in ("journal", "audit") if topics.get(name) is None
            }
            return {**data, "topics": {**topics, **named}}
        return data

    @model_validator(mode="after")
    def _transactions_end_in_time(self) -> Config:
        """The broker aborts a transaction that stays open for too long, and takes its producer for dead."""
        interval, longest = self.runtime.commit_interval, self.kafka.transaction_timeout / 2
        if self.delivery == "exactly_once" and interval > longest:
            raise ValueError(
                f"runtime.commit_interval is {interval:g} s; exactly_once needs at most {longest:g} s, half of "
                "kafka.transaction_timeout: commit oftener, or raise that"
            )
        return self

    @model_validator(mode="after")
    def _webhooks_differ(self) -> Config:
        names = [hook.name for hook in self.webhooks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"webhooks: {twice[0]!r} stands there twice; give each a name of its own")
        return self

    @model_validator(mode="after")
    def _labels_come_from_somewhere(self) -> Config:
        if self.topics.labels is None and self.events.label is None:
            raise ValueError("no labels: set topics.labels (labels on their own topic) or events.label (inline)")
        return self

    @model_validator(mode="after")
    def _learner_can_be_built(self) -> Config:
        """Which problem a learner can do is its to say: build each, once."""
        schema = Schema(self.events.numeric, self.events.categorical)
        learners = {"model.": self.model.learner}
        learners |= {f"adaptation.pool[{place}]: ": learner for place, learner in enumerate(self.adaptation.pool)}
        for path, learner in learners.items():
            try:
                build(learner, self.model.problem, schema)
            except LearnerError as error:
                raise ValueError(f"{path}{error}") from None
        return self

    @model_validator(mode="after")
    def _detectors_can_be_built(self) -> Config:
        """Which features a detector can watch, and which part of a budget it can keep, is theirs to say."""
        for part in divide(self):
            segments = part.config.segments
            allowed = self.events.categorical + (self.model.outputs[1] if part.section == "prediction" else ())
            if segments is not None and segments.by not in allowed:
                problem = "is not categorical" if segments.by in self.events.numeric else "does not exist"
                expected = one_of(list(allowed)) if allowed else "no feature: there is none with categories"
                raise ValueError(f"{part.path}.segments.by: {segments.by!r} {problem}; expected {expected}")
        return self

    @property
    def group(self) -> str:
        """The consumer group."""
        return self.kafka.group or f"driftline-{self.app}"
