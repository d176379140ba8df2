"""How events and labels are read."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from stream.config.fields import Duration, FieldPath, Section
from stream.config.health import StarvationConfig


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
    starvation: StarvationConfig | None = Field(
        default_factory=StarvationConfig, description="says when labels stop coming; null: nothing does"
    )
