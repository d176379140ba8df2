"""All detectors by the name they have in a configuration. A new one is registered by one line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import Field

from detectors.base import ConceptDetector, DataDetector, DetectorConfig
from detectors.concept.adwin import Adwin
from detectors.concept.ddm import Ddm
from detectors.concept.eddm import Eddm
from detectors.concept.hddm_a import HddmA
from detectors.concept.hddm_w import HddmW
from detectors.concept.kswin import Kswin
from detectors.concept.page_hinkley import PageHinkley
from detectors.data.chi_squared import ChiSquared
from detectors.data.ks import KolmogorovSmirnov
from detectors.data.windowed import WindowedConfig, WindowedDetector

CONCEPT: dict[str, type[ConceptDetector[Any]]] = {
    "adwin": Adwin,
    "ddm": Ddm,
    "eddm": Eddm,
    "hddm_a": HddmA,
    "hddm_w": HddmW,
    "kswin": Kswin,
    "page_hinkley": PageHinkley,
}

NUMERIC: dict[str, type[WindowedDetector[Any]]] = {
    "ks": KolmogorovSmirnov,
}

CATEGORICAL: dict[str, type[WindowedDetector[Any]]] = {
    "chi_squared": ChiSquared,
}

DATA: dict[str, type[WindowedDetector[Any]]] = {**NUMERIC, **CATEGORICAL}


def _config_of(detector: type[Any]) -> Any:
    """The configuration model a detector class names: `class Adwin(ConceptDetector[AdwinConfig])`."""
    return next(get_args(base)[0] for base in detector.__orig_bases__ if get_origin(base))


def _union_of(detectors: Iterable[type[Any]]) -> Any:
    return Annotated[Union[tuple(map(_config_of, detectors))], Field(discriminator="kind")]  # noqa: UP007


if TYPE_CHECKING:
    ConceptConfig: TypeAlias = DetectorConfig
    DataConfig: TypeAlias = WindowedConfig
else:
    ConceptConfig = _union_of(CONCEPT.values())
    DataConfig = _union_of(DATA.values())


def build_concept(config: ConceptConfig) -> ConceptDetector[Any]:
    """A new concept detector."""
    return CONCEPT[config.kind](config)


def build_data(config: DataConfig, numeric: Sequence[str], categorical: Sequence[str]) -> DataDetector[Any] | None:
    """A new data detector on the features its configuration names, or on all of the type it is for.

    None if it names none and there is none of that type. Raises ValueError if it names a feature that does not exist
    or is of the other type.
    """
    type_name, own = ("numeric", numeric) if config.kind in NUMERIC else ("categorical", categorical)
    for feature in config.features or ():
        if feature not in own:
            problem = f"is not {type_name}" if feature in (*numeric, *categorical) else "does not exist"
            allowed = ", ".join(own) or "no feature: there is none of that type"
            raise ValueError(f"features: {feature!r} {problem}; {config.kind} can watch {allowed}")
    chosen = config.features or tuple(own)
    return DATA[config.kind](config, chosen) if chosen else None
