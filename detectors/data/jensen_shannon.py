"""Jensen-Shannon distance of numeric features from a reference window, over bins of the reference.

Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37 (1991);
Endres and Schindelin, "A new metric for probability distributions", the same 49 (2003), for its root and its limit
distribution.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy import special

from detectors.data.binned import BinnedConfig, BinnedDetector
from detectors.data.windowed import Floats

_LIMIT = 8.0 * math.log(2.0)
"""By which the divergence, in bits, is multiplied to be chi-squared in the limit."""


class JensenShannonConfig(BinnedConfig):
    """Detects a change of the distribution of numeric features. `min_effect` is a distance, from 0 to 1."""

    kind: Literal["jensen_shannon"] = "jensen_shannon"
    min_effect: float = Field(
        0.1, ge=0, lt=1, description="smallest distance worth an alarm; 1 is that of samples with no bin in common"
    )


class JensenShannon(BinnedDetector[JensenShannonConfig]):
    """The root of the divergence, in bits, of both samples from their average.

    `statistic` is the distance, `threshold` what it had to reach.
    """

    added: ClassVar[float] = 0.5

    @staticmethod
    def _terms(before: Floats, after: Floats) -> Floats:
        middle = (before + after) / 2.0
        terms: Floats = 4.0 * (special.rel_entr(before, middle) + special.rel_entr(after, middle))
        return terms

    @staticmethod
    def _distance(index: Floats) -> Floats:
        distance: Floats = np.sqrt(np.maximum(index, 0.0) / _LIMIT)
        return distance

    @staticmethod
    def _index(distance: float) -> float:
        return distance * distance * _LIMIT
