"""Which detectors watch what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from detectors.registry import ConceptConfig, DataConfig
from detectors.rejected import RejectedConfig
from detectors.settings import DetectorConfig
from stream.config.fields import Section


class DetectorsConfig(Section):
    """What watches for drift."""

    concept: list[ConceptConfig] = Field([], description="detectors on the champion's errors")
    data: list[DataConfig] = Field([], description="detectors on the features")
    prediction: list[DataConfig] = Field(
        [],
        description="detectors on what the champion says: `score`, a number (P(true), the highest probability of "
        "several classes, or a regression's output), and `class`, a category (what it predicts; not of a regression)",
    )
    rejected: RejectedConfig | None = Field(
        default_factory=RejectedConfig,
        description="detector on the records that cannot be used, for each topic; null: none",
    )
    error: Literal["zero_one", "absolute"] = Field(
        "zero_one",
        description="what concept detectors see: wrong or right (0/1), or 1 - probability of the truth; regression "
        "always gives the absolute error, scaled by `error_scale`",
    )
    error_scale: float | None = Field(
        None,
        gt=0,
        description="regression: the absolute error that counts as 1; learned from the first labels when left out",
    )

    @property
    def listed(self) -> list[DetectorConfig]:
        """The detectors that somebody has chosen."""
        return [*self.concept, *self.data, *self.prediction]

    @model_validator(mode="after")
    def _no_detector_twice(self) -> DetectorsConfig:
        rejected = [] if self.rejected is None else [self.rejected]
        names = [detector.called for detector in (*self.listed, *rejected)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"detector {twice[0]!r} is listed twice; keep one of them, or give them names (`name`)")
        return self
