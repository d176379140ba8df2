"""What DDM and RDDM have in common in their configuration."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from detectors.settings import DetectorConfig


class Levels(NamedTuple):
    """Standard deviations above the lowest rate that alarm and that warn, after so many errors."""

    warmup: int
    drift: float
    warning: float


class LevelsConfig(DetectorConfig):
    """How far above its lowest point an error rate has to be, in standard deviations."""

    knobs: ClassVar[tuple[str, ...]] = ("drift_level", "warning_level")

    warning_level: float = Field(2.0, gt=0, description="standard deviations above the lowest rate that warn")
    drift_level: float = Field(3.0, gt=0, description="standard deviations above the lowest rate that alarm")
    warmup: int = Field(100, ge=30, le=1_000_000, description="errors seen before judging")

    @property
    def levels(self) -> Levels:
        """What is judged by."""
        return Levels(self.warmup, self.drift_level, self.warning_level)

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.warning_level >= self.drift_level:
            raise ValueError(
                f"warning_level: got {self.warning_level:g}; expected less than drift_level={self.drift_level:g}. "
                "Lower warning_level or raise drift_level"
            )
        return self
