"""All detectors by the name they have in a configuration. A new one is registered by one line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import Field

from detectors.base import ConceptDetector, DataDetector
from detectors.concept.adwin import Adwin
from detectors.concept.cusum import Cusum
from detectors.concept.ddm import Ddm
from detectors.concept.e_detector import EDetector
from detectors.concept.eddm import Eddm
from detectors.concept.error_blocks import ErrorBlocks
from detectors.concept.hddm_a import HddmA
from detectors.concept.hddm_w import HddmW
from detectors.concept.kswin import Kswin
from detectors.concept.page_hinkley import PageHinkley
from detectors.concept.rddm import Rddm
from detectors.concept.stepd import Stepd
from detectors.data.blocks import FeaturesConfig
from detectors.data.chi_squared import ChiSquared
from detectors.data.conformal import Conformal
from detectors.data.feature_blocks import FeatureBlocks
from detectors.data.jensen_shannon import JensenShannon
from detectors.data.ks import KolmogorovSmirnov
from detectors.data.missing_rate import MissingRate
from detectors.data.multivariate import Multivariate
from detectors.data.new_category import NewCategory
from detectors.data.psi import Psi
from detectors.data.schema import Schema
from detectors.data.value_range import ValueRange
from detectors.data.wasserstein import Wasserstein
from detectors.settings import DetectorConfig

CONCEPT: dict[str, type[ConceptDetector[Any]]] = {
    "adwin": Adwin,
    "cusum": Cusum,
    "ddm": Ddm,
    "e_detector": EDetector,
    "eddm": Eddm,
    "error_blocks": ErrorBlocks,
    "hddm_a": HddmA,
    "hddm_w": HddmW,
    "kswin": Kswin,
    "page_hinkley": PageHinkley,
    "rddm": Rddm,
    "stepd": Stepd,
}

# A detector for features of either type is in both.
NUMERIC: dict[str, type[DataDetector[Any]]] = {
    "conformal": Conformal,
    "feature_blocks": FeatureBlocks,
    "jensen_shannon": JensenShannon,
    "ks": KolmogorovSmirnov,
    "missing_rate": MissingRate,
    "multivariate": Multivariate,
    "psi": Psi,
    "schema": Schema,
    "value_range": ValueRange,
    "wasserstein": Wasserstein,
}

CATEGORICAL: dict[str, type[DataDetector[Any]]] = {
    "chi_squared": ChiSquared,
    "missing_rate": MissingRate,
    "new_category": NewCategory,
    "schema": Schema,
}

DATA: dict[str, type[DataDetector[Any]]] = {**NUMERIC, **CATEGORICAL}


def config_of(detector: type[Any]) -> Any:
    """The configuration model a detector class names: `class Adwin(ConceptDetector[AdwinConfig])`."""
    return next(get_args(base)[0] for base in detector.__orig_bases__ if get_origin(base))


def _union_of(detectors: Iterable[type[Any]]) -> Any:
    return Annotated[reduce(or_, map(config_of, detectors)), Field(discriminator="kind")]


if TYPE_CHECKING:
    ConceptConfig: TypeAlias = DetectorConfig
    DataConfig: TypeAlias = FeaturesConfig
else:
    ConceptConfig = _union_of(CONCEPT.values())
    DataConfig = _union_of(DATA.values())


def build_concept(config: ConceptConfig) -> ConceptDetector[Any]:
    """A new concept detector."""
    return CONCEPT[config.kind](config)


def watched(config: DataConfig, numeric: Sequence[str], categorical: Sequence[str]) -> tuple[str, ...]:
    """What a data detector watches: the features its configuration names, or all of the types it is for.

    Raises ValueError if it names a feature that does not exist or is of the other type.
    """
    type_name = "numeric" if config.kind in NUMERIC else "categorical"
    own = (*(numeric if config.kind in NUMERIC else ()), *(categorical if config.kind in CATEGORICAL else ()))
    for feature in config.features or ():
        if feature not in own:
            problem = f"is not {type_name}" if feature in (*numeric, *categorical) else "does not exist"
            allowed = ", ".join(own) or "no feature: there is none of that type"
            raise ValueError(f"features: {feature!r} {problem}; {config.kind} can watch {allowed}")
    return config.features or own


def build_data(config: DataConfig, numeric: Sequence[str], categorical: Sequence[str]) -> DataDetector[Any] | None:
    """A new data detector on what it watches; None if that is nothing. Raises as `watched` does."""
    chosen = watched(config, numeric, categorical)
    return DATA[config.kind](config, chosen) if chosen else None
