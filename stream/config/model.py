"""The configuration of a service: one YAML file, these models. docs/config.md is made from their descriptions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from learners.base import LearnerError, Problem, Schema
from learners.registry import AnyLearnerConfig, build
from stream.config.alarms import AlarmsConfig
from stream.config.detectors import DetectorsConfig
from stream.config.fields import Brokers, Duration, FieldPath, Secret, Section, TopicName, Words
from stream.config.references import ReferencesConfig
from stream.config.runtime import HttpConfig, MergeConfig, RuntimeConfig
from stream.core.budget import divide, one_of

_APP: Final = re.compile(r"^[a-z0-9][a-z0-9_-]*$")


class SaslConfig(Section):
    """How to log in to the broker."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="SASL mechanism")
    username: str = Field(description="user name at the broker")
    password: Secret = Field(description="where the password is kept")


class TlsConfig(Section):
    """TLS towards the broker."""

    ca_file: str | None = Field(None, description="certificate authority to trust (PEM); the system's when left out")
    cert_file: str | None = Field(None, description="client certificate (PEM), where the broker asks for one")
    key_file: str | None = Field(None, description="key of the client certificate (PEM)")
    check_hostname: bool = Field(True, description="refuse a broker whose certificate names another host")


class KafkaConfig(Section):
    """The broker, and how the worker talks to it."""

    bootstrap_servers: Brokers = Field("localhost:9092", description="broker addresses, host:port, by commas")
    client: Literal["auto", "kafka-python", "confluent"] = Field(
        "auto", description="client library: confluent (extra `fast`) takes less CPU; auto takes it if it is installed"
    )
    instance: Annotated[str, Words("letters, digits, dots, underscores and hyphens, at most 200")] | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="name of this worker that outlives restarts and no other worker has, such as its pod's: then a "
        "restart takes its partitions back without a rebalance",
    )
    group: str | None = Field(None, description="consumer group; `driftline-{app}` when left out")
    tls: TlsConfig | None = Field(None, description="TLS towards the broker; left out: none")
    sasl: SaslConfig | None = Field(None, description="log-in at the broker; left out: none")
    max_poll_records: int = Field(2000, ge=1, le=100_000, description="most records taken in one poll")
    max_poll_interval: Duration = Field(300.0, ge=1, description="longest time between two polls before a rebalance")
    session_timeout: Duration = Field(45.0, ge=1, description="silence after which the broker takes a worker for dead")
    transaction_timeout: Duration = Field(
        10.0, ge=1, le=900, description="age at which the broker gives up a transaction that was left open"
    )
    start_from: Literal["earliest", "latest"] = Field("earliest", description="where a group with no offsets begins")


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

    @model_validator(mode="after")
    def _no_topic_twice(self) -> TopicsConfig:
        named = (self.events, self.labels, self.predictions, self.alerts, self.dead_letters, self.journal)
        names = [name for name in named if name]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"topic {twice[0]!r} is used for two purposes; give each its own topic")
        return self


class AnyFeature(Section):
    """What all features have."""

    path: FieldPath | None = Field(
        None, description="where it stands in the event, dots for nesting; left out: its name"
    )
    required: bool = Field(False, description="an event without it is a dead letter")


class NumberFeature(AnyFeature):
    """A numeric feature."""

    type: Literal["number"] = Field(description="a finite number")
    min: float | None = Field(None, allow_inf_nan=False, description="smallest value allowed")
    max: float | None = Field(None, allow_inf_nan=False, description="largest value allowed")

    @model_validator(mode="after")
    def _range_holds_something(self) -> NumberFeature:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g} and max is {self.max:g}; expected min to be at most max")
        return self


class CategoryFeature(AnyFeature):
    """A categorical feature."""

    type: Literal["category"] = Field(description="a text value")
    values: list[str] | None = Field(None, min_length=1, description="the only values allowed; left out: any")
    max_length: int = Field(256, ge=1, description="longest text allowed, in characters")


class BooleanFeature(AnyFeature):
    """A feature that is true or false."""

    type: Literal["boolean"] = Field(description="true or false")


Feature: TypeAlias = Annotated[NumberFeature | CategoryFeature | BooleanFeature, Field(discriminator="type")]


class EventsConfig(Section):
    """How to read an event."""

    id: FieldPath = Field("id", description="path of the event's id, a text or whole number; labels name it")
    time: FieldPath | None = Field(None, description="path of the event's time; the record's time when left out")
    time_unit: Literal["s", "ms", "iso"] = Field(
        "s", description="unit of the times: seconds, milliseconds or ISO 8601"
    )
    label: FieldPath | None = Field(
        None, description="path of a label that comes inline with the event; an event without it waits"
    )
    features: dict[str, Feature] = Field(min_length=1, description="the features to learn from, by name")

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric features, in order."""
        return tuple(name for name, feature in self.features.items() if feature.type == "number")

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the features with categories, in order; true and false are two of them."""
        return tuple(name for name, feature in self.features.items() if feature.type != "number")

    @model_validator(mode="after")
    def _one_meaning_per_path(self) -> EventsConfig:
        """A value is the id, the time, the label or one feature. A label that is also a feature would be a leak."""
        named = [("id", self.id), ("time", self.time), ("label", self.label)]
        named += [(f"features.{name}", feature.path or name) for name, feature in self.features.items()]
        seen: dict[str, str] = {}
        for name, path in named:
            if path is None:
                continue
            if path in seen:
                raise ValueError(
                    f"{name} and {seen[path]} both stand at {path!r}; give each its own path, or remove one"
                )
            seen[path] = name
        for path, name in seen.items():
            parents = path.split(".")[:-1]
            above = next((p for i in range(len(parents)) if (p := ".".join(parents[: i + 1])) in seen), None)
            if above is not None:
                raise ValueError(f"{seen[above]} stands at {above!r} and {name} inside it, at {path!r}; remove one")
        return self


class LabelsConfig(Section):
    """How to read labels, and how long to wait for them."""

    id: FieldPath = Field("id", description="path of the event id in a label record")
    label: FieldPath = Field("label", description="path of the label in a label record")
    ttl: Duration = Field(
        604800.0, gt=0, description="how long a prediction waits for its label, and a label for its event"
    )
    max_pending: int = Field(
        200_000, ge=1, description="most predictions of one task that wait; the oldest expire beyond it"
    )


class ModelConfig(Section):
    """What is predicted, and with what."""

    name: Annotated[str, Words("letters, digits, dots, underscores and hyphens, a letter or digit first")] = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the model in the registry"
    )
    problem: Problem = Field(description="binary, multiclass or regression")
    positive: str | None = Field(
        None, description="binary only: the label text that means true; left out: labels are true/false or 1/0"
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="binary only: probability from which the prediction is true")
    learner: AnyLearnerConfig = Field(description="the learner; see its kinds below")
    seed: int = Field(1, ge=0, description="seed of all random choices")

    @model_validator(mode="after")
    def _positive_only_for_binary(self) -> ModelConfig:
        if self.positive is not None and self.problem is not Problem.BINARY:
            raise ValueError(f"`positive` is for binary problems; this one is {self.problem.value}: remove it")
        return self

    @property
    def outputs(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What detectors see of a prediction: the names of its numbers and of its categories."""
        return ("score",), () if self.problem is Problem.REGRESSION else ("class",)


class AdaptationConfig(Section):
    """What happens on concept drift."""

    policy: Literal["replace_when_better", "alert_only"] = Field(
        "replace_when_better", description="train a challenger and promote it when it beats the champion, or only tell"
    )
    start: Literal["warning", "drift"] = Field("drift", description="when a fresh challenger starts to learn")
    min_labels: int = Field(
        500, ge=30, description="labelled events over which a challenger is compared; none is promoted before"
    )
    max_labels: int = Field(
        20_000, ge=30, description="labelled events after which a challenger that has not won is dropped"
    )
    margin: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="how much smaller the challenger's mean loss must be, as a share of the champion's",
    )

    @model_validator(mode="after")
    def _room_to_win(self) -> AdaptationConfig:
        if self.max_labels < self.min_labels:
            raise ValueError(f"max_labels is {self.max_labels}; expected at least min_labels ({self.min_labels})")
        return self


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


class RedisConfig(Section):
    """The model store."""

    url: Annotated[str, Words("an address that begins with redis://, rediss:// or unix://")] = Field(
        "redis://localhost:6379/0",
        pattern=r"^(rediss?|unix)://",
        description="address of the server, with its database number",
    )
    password: Secret | None = Field(None, description="where the password is kept, if the server asks for one")
    poll_interval: Duration = Field(
        2.0, gt=0, description="time between looks at the champion pointer, in case a hint was lost"
    )
    timeout: Duration = Field(2.0, gt=0, description="longest wait for one answer")


class SecurityConfig(Section):
    """Trust in models."""

    signing_key: Secret = Field(
        default_factory=lambda: Secret(env="DRIFTLINE_SIGNING_KEY", file=None),
        description="key with which models are signed and checked: at least 32 characters, the same for all workers",
    )
    key_id: str = Field("k1", min_length=1, max_length=32, description="name of the key, written into what it signs")
    old_keys: dict[str, Secret] = Field({}, description="keys still accepted for reading, by key id")


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
    redis: RedisConfig = Field(default_factory=RedisConfig, description="the model store")
    security: SecurityConfig = Field(default_factory=SecurityConfig, description="trust in models")
    http: HttpConfig = Field(default_factory=HttpConfig, description="metrics and health")
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="exactly_once: outputs and positions in one transaction; at_least_once: lower latency, but outputs "
        "are made again after a crash",
    )
    runtime: RuntimeConfig = Field(default_factory=RuntimeConfig, description="the worker's rhythm")
    audit: AuditConfig = Field(default_factory=AuditConfig, description="what predictions carry for an auditor")

    @model_validator(mode="before")
    @classmethod
    def _journal_is_named_after_the_app(cls, data: Any) -> Any:
        """Two services that share a broker must not share a journal."""
        topics = data.get("topics") if isinstance(data, dict) else None
        if isinstance(topics, dict) and topics.get("journal") is None and _APP.match(str(data.get("app"))):
            return {**data, "topics": {**topics, "journal": f"driftline-{data['app']}-journal"}}
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
    def _labels_come_from_somewhere(self) -> Config:
        if self.topics.labels is None and self.events.label is None:
            raise ValueError("no labels: set topics.labels (labels on their own topic) or events.label (inline)")
        return self

    @model_validator(mode="after")
    def _learner_can_be_built(self) -> Config:
        """Which problem a learner can do is its to say: build it, once."""
        schema = Schema(self.events.numeric, self.events.categorical)
        try:
            build(self.model.learner, self.model.problem, schema)
        except LearnerError as error:
            raise ValueError(f"model.{error}") from None
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
