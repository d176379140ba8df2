"""The configuration of detectors that slide a window along: its sizes, and how easily they alarm."""

from __future__ import annotations

import math
from typing import ClassVar, Self

from pydantic import Field, model_validator

from detectors.calibration.chi_squared import chance
from detectors.calibration.renewal import LARGEST, LONGEST, SHORTEST, safe_chance
from detectors.data.blocks import BlockConfig
from detectors.data.rolling import RollingConfig
from detectors.settings import Share

AT_FIRST = 1.0
"""The horizon, in values, of those who count alarms as they come with references that had no time to prove good."""


class WindowedConfig(BlockConfig):
    """Common to detectors that compare a sliding window of a feature with a reference window taken before it.

    How easily it alarms is said by `alpha`, of one check, or by `run_length`, of values that are independent.
    """

    knobs: ClassVar[tuple[str, ...]] = ("run_length", "horizon", "alpha", "warning_alpha")

    reference: int = Field(1000, ge=100, le=LARGEST, description="values of a feature that make up its reference")
    window: int = Field(500, ge=30, le=LARGEST, description="newest values of a feature, compared with the reference")
    alpha: float = Field(
        1e-4, gt=0, lt=1, description="probability of a false alarm at one check, over all features together"
    )
    warning_alpha: float | None = Field(
        None, gt=0, lt=1, description="the same for a warning, larger than alpha; no warnings if absent"
    )
    run_length: float | None = Field(
        None,
        ge=SHORTEST,
        le=LONGEST,
        description="values of a feature that pass on average before a false alarm, if they are independent; instead "
        "of alpha",
    )
    horizon: float | None = Field(
        None,
        gt=0,
        description="values of a feature over which the alarms of run_length are counted, from its first reference on; "
        "in the long run if absent",
    )
    min_effect: float = Field(
        0.1, ge=0, lt=1, description="smallest change worth an alarm: the share of events that would have to be moved"
    )
    rolling: RollingConfig | None = Field(
        None, description="moves the reference on behind the window; if absent, the first values stay the reference"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.warning_alpha is not None and self.warning_alpha <= self.alpha:
            raise ValueError(
                f"warning_alpha: got {self.warning_alpha:g}; expected more than alpha={self.alpha:g}. Raise it, or "
                "remove it to have no warnings"
            )
        if self.every > self.window:
            raise ValueError(
                f"every: got {self.every}; expected at most window={self.window}, as values would pass unseen "
                "between two checks. Lower every or raise window"
            )
        return self

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        """An alpha that equals its default counts as left out, as in a configuration that was written out."""
        if self.run_length is None:
            if self.horizon is not None:
                raise ValueError(
                    f"horizon: got {self.horizon:,.0f} without run_length, whose alarms it counts. Give run_length, or "
                    "remove horizon"
                )
            return self
        if self.alpha != type(self).model_fields["alpha"].default:
            raise ValueError(
                f"alpha: got {self.alpha:g} along with run_length={self.run_length:,.0f}; expected one of the two, as "
                "each sets the threshold. Remove the other"
            )
        if self.warning_alpha is not None:
            raise ValueError(
                f"warning_alpha: got {self.warning_alpha:g} along with run_length={self.run_length:,.0f}; expected it "
                "only along with alpha. Remove it, or give alpha instead of run_length"
            )
        return self

    def _of_share(self, share: Share) -> dict[str, float]:
        counted = {} if share.horizon == math.inf else {"horizon": share.horizon}
        return {**super()._of_share(share), **counted}

    def chance(self, streams: int, freedom: int | None = None, surer: int = 0) -> float:
        """The chance of a false alarm at one check of one of so many streams of values that is no more than is named.

        For statistics that are chi-squared with so many degrees of freedom if nothing changed; without `freedom` for
        any other. What a reference is off by counts as that of one with so many values more as `surer` says.
        """
        if self.run_length is None:
            return self.alpha / streams
        if freedom is None:
            return safe_chance(self.window, self.every, self.run_length)
        sizes = min(self.reference + surer, LARGEST), self.window, self.every
        return chance(*sizes, freedom, self.run_length, horizon=self.counted_over)

    @property
    def counted_over(self) -> float:
        """The horizon; infinite for the long run. A reference that moves is as a new one again and again."""
        if self.rolling is not None:
            return AT_FIRST
        return math.inf if self.horizon is None else self.horizon
