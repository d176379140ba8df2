"""Population stability index of numeric features against a reference window, over bins of the reference.

Source: Lewis, "An introduction to credit scoring" (1994); its limit distribution: Yurdakul, "Statistical properties of
population stability index", dissertation, Western Michigan University (2018).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from detectors.data.binned import BinnedConfig, BinnedDetector
from detectors.data.windowed import Floats


class PsiConfig(BinnedConfig):
    """Detects a change of the distribution of numeric features, the tails included. `min_effect` is an index."""

    kind: Literal["psi"] = "psi"
    min_effect: float = Field(
        0.1,
        ge=0,
        description="smallest index worth an alarm; 0.1 is commonly called a moderate change, 0.25 a large one",
    )


class Psi(BinnedDetector[PsiConfig]):
    """The sum over bins of (after - before) ln(after / before), where both are shares.

    Unlike the common rules of thumb (an alarm from 0.1 or 0.25 on) it alarms only beyond chance: with small windows
    the index is large of itself.
    `statistic` is the index, `threshold` what it had to reach.
    """

    added: ClassVar[float] = 0.75

    @staticmethod
    def _terms(before: Floats, after: Floats) -> Floats:
        terms: Floats = (after - before) * np.log(after / before)
        return terms

    @staticmethod
    def _distance(index: Floats) -> Floats:
        return index

    @staticmethod
    def _index(distance: float) -> float:
        return distance
