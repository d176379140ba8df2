"""What the configuration of every detector has: its name, how easily it alarms, its segments and its season."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from detectors.seasons import SeasonConfig


class Share(NamedTuple):
    """What a detector gets of a false-alarm budget, for each stream of values it watches.

    `run_length` values pass on average before a false alarm, counted over the first `horizon` of them: a detector that
    learns a reference may have more false alarms at first than in the long run.
    """

    run_length: float
    horizon: float = math.inf


class SegmentsConfig(BaseModel):
    """Watches parts of the stream apart, one for each value of a categorical feature, so that a change in one of them
    does not drown in the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = Field(min_length=1, description="categorical feature whose values are the segments")
    most: int = Field(
        20,
        ge=1,
        le=1000,
        description="values that get a segment each, the first that come; all later ones share one, and missing values "
        "have their own. Memory grows with it",
    )


Seasonal: TypeAlias = Literal["levels", "shares", "gaps"] | None


class DetectorConfig(BaseModel):
    """Common to all detectors: unknown fields are refused, values never change after construction.

    `knobs` are the fields that say how easily it alarms. Where the user sets none of them, a share of a budget can.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    knobs: ClassVar[tuple[str, ...]] = ("run_length",)
    seasonal: ClassVar[Seasonal] = "levels"
    """What it watches that can go round: the level of a value, the shares of categories, how much is missing."""

    kind: str
    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="name in alerts and metrics; its kind if absent. Two detectors of one kind need names",
    )
    run_length: float | None = Field(
        None, ge=10, le=1e12, description="values that pass on average before a false alarm; absent: as the rest says"
    )
    segments: SegmentsConfig | None = Field(
        None, description="watch parts of the stream apart, by the values of a feature; absent: all together"
    )
    season: SeasonConfig | None = Field(
        None,
        description="what goes round by the hour and is no drift: values, or the shares of categories and of what is "
        "missing, are adjusted to it first",
    )

    @model_validator(mode="after")
    def _something_goes_round(self) -> Self:
        if self.season is not None and self.seasonal is None:
            raise ValueError(f"season: {self.kind} watches for what was never there, at whatever hour. Remove it")
        return self

    @property
    def called(self) -> str:
        """Its name in alerts and metrics."""
        return self.name or self.kind

    @property
    def by_hand(self) -> list[str]:
        """What the user has set that says how easily it alarms. A default that was written out does not count."""
        fields = type(self).model_fields
        named = dict.fromkeys(("run_length", *self.knobs))
        return [knob for knob in named if getattr(self, knob) != fields[knob].default]

    @property
    def set_by_hand(self) -> bool:
        """Whether the user has said how easily it alarms."""
        return bool(self.by_hand)

    def with_share(self, share: Share) -> Self:
        """The same, calibrated to a share of a budget.

        Raises pydantic's ValidationError where no such share can be kept.
        """
        given = {name: value for name, value in self if name not in self.knobs}
        return type(self).model_validate({**given, **self._of_share(share)})

    def _of_share(self, share: Share) -> dict[str, float]:
        """The fields that a share sets."""
        return {"run_length": share.run_length}
