"""What concept detectors have in common in their configuration that can be told a run length instead of their knobs."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from detectors.settings import DetectorConfig

WARNING = 10.0
"""How much more often than an alarm a warning is raised, if nothing has changed, where a run length is given."""


class CalibratedConfig(DetectorConfig):
    """Either the knobs say how easily it alarms, or `run_length` does, by `detectors.calibration.errors`."""

    run_length: float | None = Field(
        None,
        ge=1e3,
        le=1e9,
        description="errors that pass on average before a false alarm, if they are independent; instead of what else "
        "says how easily it alarms",
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        """A knob that equals its default counts as left out, as in a configuration that was written out."""
        if self.run_length is None:
            return self
        for knob in self.knobs:
            if (value := getattr(self, knob)) != type(self).model_fields[knob].default:
                raise ValueError(
                    f"{knob}: got {value:g} along with run_length={self.run_length:,.0f}; expected one of the two, as "
                    "each says how easily it alarms. Remove the other"
                )
        return self


class UncalibratedConfig(DetectorConfig):
    """For detectors whose false alarms come soon after the start or never, so that there is no mean to ask for."""

    @model_validator(mode="after")
    def _keeps_no_run_length(self) -> Self:
        if self.run_length is not None:
            raise ValueError(
                f"run_length: got {self.run_length:,.0f}; {self.kind} cannot keep one, as its false alarms come soon "
                f"after the start or never. Set {' and '.join(self.knobs)}, or use e_detector or cusum instead"
            )
        return self
