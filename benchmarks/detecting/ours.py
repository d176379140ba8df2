"""Our detectors at work."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from detecting.streams import Values
from detecting.watching import Here, Refused
from detectors.base import ConceptDetector, DataDetector, Row, State
from detectors.registry import DATA, NUMERIC, ConceptConfig, DataConfig, build_concept, build_data
from detectors.settings import Share


class Ours(Here):
    """One of our detectors; every signal of a drift is an alarm."""

    _detector: ConceptDetector[Any] | DataDetector[Any]

    def _observe(self, ready: Any) -> list[int]:
        return [index for index, reading, *_ in self._detector.observe(ready) if reading.state is State.DRIFT]


class OurErrors(Ours):
    """One of our detectors on errors."""

    def __init__(self, kind: str, stated: float | None) -> None:
        config: Any = TypeAdapter(ConceptConfig).validate_python(_written(kind))
        if stated is not None:
            config = _calibrated(config, stated, 1)
        self._config = config
        self.restart()

    def restart(self) -> None:
        self._detector = build_concept(self._config)

    def _ready(self, values: Values) -> list[float]:
        errors: list[float] = values[:, 0].tolist()
        return errors


class OurFeatures(Ours):
    """One of our detectors on features."""

    def __init__(self, kind: str, stated: float | None, features: int) -> None:
        config: Any = TypeAdapter(DataConfig).validate_python(_written(kind))
        if stated is not None:
            config = _calibrated(config, stated, 1 if DATA[config.kind].together else features)
        self._config = config
        self._names = [f"f{n}" for n in range(features)]
        self.restart()

    def restart(self) -> None:
        numeric = self._names if self._config.kind in NUMERIC else []
        detector = build_data(self._config, numeric, [] if numeric else self._names)
        if detector is None:
            raise Refused("it has no features to watch")
        self._detector = detector

    def _ready(self, values: Values) -> list[Row]:
        return [dict(zip(self._names, row, strict=True)) for row in values.tolist()]


def _written(kind: str) -> dict[str, str]:
    """The configuration of a kind with its options, as in "ks window=200"."""
    name, *options = kind.split()
    return {"kind": name, **dict(option.split("=") for option in options)}


def _calibrated(config: Any, stated: float, streams: int) -> Any:
    """Calibrated, and without a least effect, which would only keep it silent more often than it has to be."""
    free = {"min_effect": 0.0} if hasattr(config, "min_effect") else {}
    try:
        return config.model_copy(update=free).with_share(Share(stated * streams, stated))
    except ValueError as refusal:
        raise Refused(str(refusal)) from refusal
