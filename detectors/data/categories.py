"""What detectors on categorical features share: values out of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.base import Row, Value
from detectors.data.blocks import plain
from detectors.data.windowed import Bools

_TEXT = frozenset((str, type(None)))


def category_columns(block: Sequence[Row], features: Sequence[str]) -> tuple[npt.NDArray[np.object_], Bools]:
    """The categories of some features, features by rows, and which are usable; None for those that are not."""
    flat = flat_values(block, features)
    if not _TEXT.issuperset(map(type, flat)):
        flat = [category(value) for value in flat]
    values = np.empty(len(flat), dtype=np.object_)
    values[:] = flat
    usable = np.fromiter((value is not None for value in flat), dtype=np.bool_, count=len(flat))
    shape = len(block), len(features)
    return values.reshape(shape).T, np.ascontiguousarray(usable.reshape(shape).T)


def flat_values(block: Sequence[Row], features: Sequence[str]) -> list[Any]:
    """The values of a block, row by row; None where a row lacks a feature."""
    if len(features) > 1:
        try:
            return list(chain.from_iterable(map(itemgetter(*features), block)))
        except KeyError:
            pass
    return [row.get(name) for row in block for name in features]


def category(value: Any) -> Value:
    """The value as a category, None if it counts as missing."""
    found = plain(value)
    return None if isinstance(found, float) and not math.isfinite(found) else found
