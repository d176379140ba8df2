"""What the two HDDM tests have in common in their configuration."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from detectors.concept.calibrated import CalibratedConfig


class ConfidenceConfig(CalibratedConfig):
    """The names are the paper's; the values are probabilities of a false alarm, so smaller is stricter."""

    knobs: ClassVar[tuple[str, ...]] = ("drift_confidence", "warning_confidence")

    drift_confidence: float = Field(0.001, gt=0, lt=1, description="bound on the probability of a false alarm")
    warning_confidence: float = Field(0.005, gt=0, lt=1, description="bound on the probability of a false warning")
    warmup: int = Field(30, ge=1, le=1_000_000, description="errors seen before judging")

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.warning_confidence <= self.drift_confidence:
            raise ValueError(
                f"warning_confidence: got {self.warning_confidence:g}; expected more than "
                f"drift_confidence={self.drift_confidence:g}. Raise warning_confidence or lower drift_confidence"
            )
        return self
