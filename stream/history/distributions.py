"""What values of a feature were like: of numbers 21 quantiles, of categories the shares of the most frequent ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.history.answers import CategoryValues, NumberValues, Values
from stream.history.frames import Distribution

LEVELS: Final = (0.01, *(round(0.05 * n, 2) for n in range(1, 20)), 0.99)
"""The levels of quantiles."""
MOST: Final = 20
"""Categories whose shares are told."""
MOST_SOURCES: Final = 2
"""Sources that are told, of partitions that differ."""
_GRID: Final = np.linspace(0.01, 0.99, 99)


def of_numbers(values: npt.NDArray[Any], source: str, at: float) -> Distribution:
    """What numbers are like; NaN are missing ones."""
    known = np.sort(values[np.isfinite(values)])
    quantiles = tuple(np.quantile(known, LEVELS).tolist()) if len(known) else ()
    return Distribution(
        n=len(values), missing=_share(len(values) - len(known), len(values)), source=source, at=at, quantiles=quantiles
    )


def of_categories(values: Sequence[str | None], source: str, at: float) -> Distribution:
    """What categories are like; None are missing ones."""
    counts = Counter(values)
    missing = counts.pop(None, 0)
    total = len(values) - missing
    shares = {str(name): n / total for name, n in counts.most_common(MOST)}
    return Distribution(n=len(values), missing=_share(missing, len(values)), source=source, at=at, shares=shares)


def together(found: Sequence[Distribution], *, numeric: bool) -> Values | None:
    """What the values of several partitions are like together, weighted by their numbers; None if there are none."""
    n = sum(one.n for one in found)
    if not n:
        return None
    missing = sum(one.missing * one.n for one in found) / n
    weighted = [(one, one.n * (1.0 - one.missing)) for one in found if one.missing < 1.0]
    total = sum(weight for _, weight in weighted)
    if numeric:
        return NumberValues(
            n=n,
            quantiles=_mixed([(one.quantiles, weight) for one, weight in weighted if one.quantiles]),
            missing=missing,
        )
    shares: dict[str, float] = {}
    for one, weight in weighted:
        for name, share in one.shares.items():
            shares[name] = shares.get(name, 0.0) + share * weight / total
    commonest = sorted(shares.items(), key=itemgetter(1), reverse=True)
    return CategoryValues(n=n, shares=dict(commonest[:MOST]), missing=missing)


def sources(found: Iterable[Distribution]) -> str | None:
    """Where those of several partitions are from, each source said once, the commonest first; None of none."""
    counts = Counter(one.source for one in found)
    told = [source for source, _ in counts.most_common(MOST_SOURCES)]
    more = counts.total() - sum(counts[source] for source in told)
    return "; ".join([*told, *([f"another one in {more} more partitions"] if more else [])]) or None


def _mixed(weighted: Sequence[tuple[Sequence[float], float]]) -> dict[str, float]:
    """The quantiles of a mixture of distributions, of which quantiles and weights are known."""
    if not weighted:
        return {}
    values = np.concatenate([np.interp(_GRID, LEVELS, quantiles) for quantiles, _ in weighted])
    weights = np.repeat([weight for _, weight in weighted], len(_GRID))
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    mixed = weighted[0][0] if len(weighted) == 1 else np.interp(LEVELS, reached, values[order]).tolist()
    return {f"{level:g}": value for level, value in zip(LEVELS, mixed, strict=True)}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
