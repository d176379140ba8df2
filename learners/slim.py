"""Leaves out of pickles what River's leaves carry and never use: a random generator in every Gaussian.

A `river.proba.Gaussian` draws from its generator in `sample()` alone, which River calls only on distributions that it
gave a seed (Thompson sampling). The Gaussians in the leaves of trees and in naive Bayes have none: their generators,
3 KB each that no compressor can shrink, are 93 to 97 % of the pickle of a forest. Such a Gaussian is pickled as its
four numbers and comes back with a generator that it shares with all others. Every other random state is kept.
"""

from __future__ import annotations

import random
from typing import Any, Final

from river.proba import Gaussian
from river.stats import Mean, Var

_SHARED: Final = random.Random(0)


def gaussian(ddof: int, squares: float, n: float, mean: float) -> Gaussian:
    """The Gaussian of these numbers: what a packed one is unpickled with. Bit for bit as it was."""
    means = Mean.__new__(Mean)
    means.n, means._mean = n, mean
    variance = Var.__new__(Var)
    variance.ddof, variance.mean, variance._S = ddof, means, squares
    packed = Gaussian.__new__(Gaussian)
    packed.seed, packed._rng, packed._var = None, _SHARED, variance
    return packed


def pack(obj: Any) -> Any:
    """How a Gaussian is pickled: a call of `gaussian`. NotImplemented for one that has a seed, which stays whole."""
    if obj.seed is not None:
        return NotImplemented
    variance = obj._var
    means = variance.mean
    return gaussian, (variance.ddof, variance._S, means.n, means._mean)


def is_known() -> bool:
    """Whether Gaussians of the installed River hold exactly what `gaussian` makes them of."""
    theirs = Gaussian()  # type: ignore[no-untyped-call]
    theirs.update(1.0)  # type: ignore[no-untyped-call]
    ours = gaussian(1, 0.0, 1.0, 1.0)
    return _anatomy(theirs) == _anatomy(ours)


def _anatomy(obj: Gaussian) -> list[tuple[type, set[str]]]:
    return [(type(part), set(vars(part))) for part in (obj, obj._var, obj._var.mean)]
