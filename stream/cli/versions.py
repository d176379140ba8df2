"""What the commands on versions of the model share: opening the store, and how they tell what they know."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.printing import NONE
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config.model import Config
    from stream.stores.base import VersionMeta
    from stream.stores.registry import ModelStore


def open_registry(path: Path, model: str | None = None) -> tuple[Config, ModelStore, str]:
    """The configuration, its store, and the name of the model. Nothing is sent yet."""
    from stream.config.load import load
    from stream.stores.opening import open_store

    config = load(path)
    return config, open_store(config), model or config.model.name


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file that is not there yet, or may be overwritten. Raises ConfigError."""
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already.", "Write elsewhere (-o), or add --force to overwrite it.")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None


def who() -> str:
    """user@host, as far as this machine knows; a container's user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def facts_of(meta: VersionMeta) -> dict[str, str]:
    """What is known of a version since it was made, by the headings that tables have."""
    return {
        "version": str(meta.version),
        "parents": versions_of(meta.parents),
        "created (UTC)": time_of(meta.created),
        "recipe": meta.recipe,
        "reason": meta.reason,
        "who": meta.who,
        "scores then": scores_of(meta.scores, meta.intervals),
        "labels then": labels_of(meta.labels),
        "trained on events": span_of(meta.trained),
        "judged on events": span_of(meta.span),
        "size": size_of(meta.size),
        "digest": meta.digest[:12],
    }


def time_of(seconds: float) -> str:
    """A time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def size_of(n: int) -> str:
    """A number of bytes."""
    return f"{n} B" if n < 1000 else f"{n / 1000:.1f} kB" if n < 1_000_000 else f"{n / 1_000_000:.1f} MB"


def scores_of(scores: dict[str, float], intervals: dict[str, tuple[float, float]]) -> str:
    """Scores by name, with their intervals where they have one; then what is known by its interval alone."""
    return ", ".join(f"{metric} {score_of(metric, scores, intervals)}" for metric in (scores | intervals)) or NONE


def score_of(metric: str, scores: dict[str, float], intervals: dict[str, tuple[float, float]]) -> str:
    """One score: `0.75`, `0.75 (0.71 to 0.79)` or, of what only an interval is known, `0.71 to 0.79`."""
    value, interval = scores.get(metric), intervals.get(metric)
    told = NONE if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
    if value is None:
        return told
    return f"{value:.4g}" + ("" if interval is None else f" ({told})")


def labels_of(n: int) -> str:
    """A count of labels."""
    return f"{n:,}" if n else NONE


def versions_of(versions: tuple[int, ...] | list[int]) -> str:
    """Version numbers."""
    return ", ".join(map(str, versions)) or NONE


def span_of(span: tuple[int, int] | list[int] | None) -> str:
    """First and last offset."""
    return NONE if span is None else f"{span[0]:,} to {span[1]:,}"
