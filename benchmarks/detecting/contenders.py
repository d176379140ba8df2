"""What is compared: our detectors, River's, Frouros', CapyMOA's, the usual mistake, and two that look at nothing."""

from __future__ import annotations

from typing import NamedTuple

from detecting.others import ELSEWHERE, Baseline, Elsewhere, River, SlidingKs, environment
from detecting.ours import OurErrors, OurFeatures
from detecting.watching import Watcher
from detectors.registry import CATEGORICAL, CONCEPT, NUMERIC

RIVER_ERRORS = ("ADWIN", "PageHinkley", "KSWIN", "DDM", "EDDM", "HDDMA", "HDDMW")
FROUROS_ERRORS = (
    *("ADWIN", "CUSUM", "DDM", "ECDDWT", "EDDM", "HDDMA", "HDDMW", "KSWIN", "PageHinkley", "RDDM", "STEPD"),
    "GeometricMovingAverage",
)
CAPYMOA_ERRORS = (
    *("ADWIN", "CUSUM", "DDM", "EDDM", "EWMAChart", "HDDMAverage", "HDDMWeighted", "PageHinkley", "RDDM", "SEED"),
    *("STEPD", "GeometricMovingAverage"),
)
VARIANTS = {"numbers": ("ks window=200 every=10", "ks window=80 every=1")}
"""Of ours: what smaller windows and more checks are worth."""
ONLY_MISTAKES = {"DDM", "EDDM", "ECDDWT", "EWMAChart", "HDDMA", "HDDMW", "HDDMAverage", "HDDMWeighted", "RDDM", "STEPD"}
"""Rivals' detectors for errors that are 0 or 1."""


class Contender(NamedTuple):
    """A detector. `stated` is the run length, in events over all features, that it is calibrated to, if it can be.

    Of ours, options that differ from the defaults stand after the kind: "ks window=200".
    """

    library: str
    kind: str
    stated: float | None = None

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.library} {self.kind}"

    @property
    def ours(self) -> bool:
        """Whether it is one of ours."""
        return self.library == "driftline"


def watch(contender: Contender, watched: str, features: int) -> Watcher:
    """Put a contender to work. Raises `Refused` where it can't do what it is to be calibrated to."""
    library, kind, stated = contender
    if library == "driftline":
        return OurFeatures(kind, stated, features) if watched in {"numbers", "categories"} else OurErrors(kind, stated)
    if library == "river":
        return River(kind, features)
    if library == "scipy":
        return SlidingKs(features)
    if library == "baseline":
        return Baseline(kind)
    return Elsewhere(library, kind, features)


def contenders(watched: str, *, calibrated: tuple[float, ...]) -> list[Contender]:
    """Those for errors, absolute errors, numbers or categories; ours at their defaults and calibrated."""
    kinds = {
        "errors": list(CONCEPT),
        "absolute errors": [kind for kind, detector in CONCEPT.items() if not detector.bounded],
        "numbers": list(NUMERIC),
        "categories": list(CATEGORICAL),
    }[watched]
    kinds += VARIANTS.get(watched, ())
    found = [Contender("driftline", kind, stated) for kind in kinds for stated in (None, *calibrated)]
    found += _rivals(watched)
    return [*found, Contender("baseline", "always"), Contender("baseline", "never")]


def _rivals(watched: str) -> list[Contender]:
    if watched == "categories":
        return []
    if watched == "numbers":
        rivals = [Contender("river", kind) for kind in ("KSWIN", "ADWIN", "PageHinkley")]
        rivals += [Contender("scipy", "sliding ks_2samp")]
        rivals += [Contender("frouros", "IncrementalKSTest"), Contender("capymoa", "KolmogorovSmirnov")]
    else:
        rivals = [Contender("river", kind) for kind in RIVER_ERRORS]
        rivals += [Contender("frouros", kind) for kind in FROUROS_ERRORS]
        rivals += [Contender("capymoa", kind) for kind in CAPYMOA_ERRORS]
        rivals = [rival for rival in rivals if watched == "errors" or rival.kind not in ONLY_MISTAKES]
    return [rival for rival in rivals if rival.library not in ELSEWHERE or environment(rival.library)]
