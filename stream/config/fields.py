"""Field types of the configuration: durations as people write them, names, and secrets that are kept elsewhere."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/@]+):(\d{1,5})")
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*")


class Words(NamedTuple):
    """What a field takes, in words, where its type alone does not say it. Used by error messages and docs/config.md."""

    text: str


def seconds(value: Any) -> float:
    """Turn "250ms", "30s", "6h", "2d" or a finite number of seconds into seconds. Raises ValueError."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is not None:
            return float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError('expected a duration such as "250ms", "30s", "6h" or "2d"')


def written(duration: float) -> str:
    """Seconds as people write them, in the largest unit that fits without a fraction: "7d", "250ms"."""
    for unit in ("w", "d", "h", "m", "s"):
        count = duration / _UNITS[unit]
        if count >= 1 and count.is_integer() and not (unit == "w" and count < 2):
            return f"{count:.0f}{unit}"
    return f"{duration * 1000:g}ms" if duration else "0s"


def brokers(value: str) -> str:
    """Check a list of broker addresses. Raises ValueError naming the first that is not host:port."""
    for address in value.split(","):
        match = _ADDRESS.fullmatch(address.strip())
        if match is None or not 0 < int(match[1]) < 65536:
            raise ValueError(
                f'{address.strip()!r} is not a broker address; expected host:port, such as "localhost:9092"'
            )
    return value


DURATION = Words('a duration such as "250ms", "30s" or "6h"')

Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str | float), DURATION]
"""Seconds as a float; written with a unit (ms, s, m, h, d, w) or as a bare number of seconds."""

Brokers = Annotated[str, AfterValidator(brokers), Words('broker addresses such as "localhost:9092", by commas')]
"""Addresses of brokers, host:port, by commas."""

TopicName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._-]{1,249}$"),
    Words("a topic name (up to 249 letters, digits, dots, underscores and hyphens)"),
]
"""A name that Kafka takes for a topic."""

FieldPath = Annotated[
    str,
    Field(pattern=r"^[^.]+(\.[^.]+)*$"),
    Words('a path of keys, such as "amount" or "card.country"'),
]
"""Where a value stands in a JSON object: keys with dots between them."""


class Section(BaseModel):
    """A part of the configuration: unknown fields are refused, nothing changes after start-up."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Section):
    """Where a secret is kept: an environment variable or a file. Never in the configuration itself."""

    env: str | None = Field(None, description="name of the environment variable that holds the secret")
    file: Path | None = Field(
        None, description="file whose content, stripped of white space at its ends, is the secret"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of env and file")
        return self
