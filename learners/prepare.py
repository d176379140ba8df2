"""From raw rows to what River's estimators can take: finite numbers under a bounded set of names.

Both encoders keep a running mean and deviation of each numeric feature and the categories met, and are River
transformers (`learn_one`, `transform_one`); `take` learns a row and transforms it in one pass, for speed. Whatever a
row holds, what comes out is finite: None, NaN, infinities and wrong types count as missing, and a number further than
`SPREAD` deviations from its mean is pulled in to there, so that no outlier can throw a model off.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from river import base

from learners.moments import LIMIT, SPREAD, UNSEEN, Moments, finite, pulled_in, update

LONGEST_CATEGORY = 256
"""Longer category texts are pooled with the rare ones, so that memory stays bounded."""

AnyRow = Mapping[Any, Any]
_FLOAT = frozenset((float,))
Encoded = dict[Any, Any]
Numbers = tuple[Encoded, list[str]]
"""The encoded numeric features of a row, and the names of those that are missing."""


class Encoder(base.Transformer):
    """What both encoders share: the numeric features, whose moments they keep, and the bounded sets of categories."""

    def __init__(
        self,
        numeric: Iterable[str],
        categorical: Iterable[str] = (),
        max_categories: int = 200,
        standardise: bool = True,
    ) -> None:
        self.numeric = tuple(numeric)
        self.categorical = tuple(categorical)
        self.max_categories = max_categories
        self.standardise = standardise
        self._moments: list[Moments] = [UNSEEN] * len(self.numeric)

    def learn_one(self, x: AnyRow) -> None:
        """Learn a row."""
        self.take(x)

    @abstractmethod
    def transform_one(self, x: AnyRow) -> Encoded:
        """The row as the estimator takes it. Changes nothing."""

    @abstractmethod
    def take(self, row: AnyRow) -> Encoded:
        """Learn a row and return it transformed, by what is known with it."""

    def _numbers(self, row: AnyRow) -> Numbers:
        """Encode the numeric features. Changes nothing."""
        get, standardise = row.get, self.standardise
        out: Encoded = {}
        missing: list[str] = []
        try:
            for name, moments in zip(self.numeric, self._moments, strict=True):
                value: Any = get(name)
                if value is not None:
                    _, mean, _, inverse = moments
                    scaled = (value - mean) * inverse
                    if -SPREAD <= scaled <= SPREAD and (standardise or inverse):
                        out[name] = scaled if standardise else value + 0.0
                        continue
                    known = finite(value)
                    if known is not None:
                        known = pulled_in(moments, known)
                        out[name] = (known - mean) * inverse if standardise else known
                        continue
                missing.append(name)
        except (TypeError, ValueError, OverflowError):
            return self._numbers(self._sound(row))
        return out, missing

    def _take_numbers(self, row: AnyRow) -> Numbers:
        """Learn and encode the numeric features."""
        get, standardise, sqrt = row.get, self.standardise, math.sqrt
        out: Encoded = {}
        missing: list[str] = []
        after: list[Moments] = []
        keep = after.append
        try:
            for name, before in zip(self.numeric, self._moments, strict=True):
                value: Any = get(name)
                if value is not None:
                    n, mean, squares, inverse = before
                    delta = value - mean
                    if inverse and -SPREAD <= delta * inverse <= SPREAD:  # `update`, written out for speed
                        n += 1
                        mean += delta / n
                        rest = value - mean
                        squares += delta * rest
                        inverse = sqrt(n / squares)
                        keep((n, mean, squares, inverse))
                        out[name] = rest * inverse if standardise else value + 0.0
                        continue
                    known = finite(value)
                    if known is not None:
                        moments = update(before, known)
                        keep(moments)
                        known = pulled_in(moments, known)
                        out[name] = (known - moments[1]) * moments[3] if standardise else known
                        continue
                keep(before)
                missing.append(name)
        except (TypeError, ValueError, OverflowError):
            return self._take_numbers(self._sound(row))
        self._moments = after
        return out, missing

    def _sound(self, row: AnyRow) -> dict[str, float | None]:
        """Every numeric feature as a finite float or None: the slow path for rows of wrong types."""
        return {name: finite(row.get(name)) for name in self.numeric}


class ScaleAndFlag(Encoder):
    """For linear models: standardised numbers, and a flag of 1.0 for each category and for each missing value.

    A missing number is left out, which to a linear model is the same as its running mean. The first `max_categories`
    values of a feature each have a flag of their own; all others share one.
    """

    def __init__(
        self,
        numeric: Iterable[str],
        categorical: Iterable[str] = (),
        max_categories: int = 200,
        missing_indicator: bool = True,
    ) -> None:
        super().__init__(numeric, categorical, max_categories)
        self.missing_indicator = missing_indicator
        self._flags: list[dict[str, str]] = [{} for _ in self.categorical]

    def transform_one(self, x: AnyRow) -> Encoded:
        """The row as standardised numbers within ±`SPREAD`, and flags. Changes nothing."""
        return self._flagged(x, *self._numbers(x))

    def take(self, row: AnyRow) -> Encoded:
        """Learn a row and return it transformed."""
        for name, flags in zip(self.categorical, self._flags, strict=True):
            if len(flags) < self.max_categories:
                value = category(row.get(name))
                if value is not None and value not in flags and len(value) <= LONGEST_CATEGORY:
                    flags[value] = f"{name}={value}"
        return self._flagged(row, *self._take_numbers(row))

    def _flagged(self, row: AnyRow, out: Encoded, missing: list[str]) -> Encoded:
        for name, flags in zip(self.categorical, self._flags, strict=True):
            value = row.get(name)
            if value.__class__ is not str:
                value = category(value)
            if value is None:
                missing.append(name)
            else:
                out[flags.get(value) or name + "=*"] = 1.0
        if missing and self.missing_indicator:
            for name in missing:
                out[name + "?"] = 1.0
        return out


class ClipAndCode(Encoder):
    """For trees: a number for every feature, always all of them, since River's trees handle absent ones unevenly.

    Numbers stay in their own unit unless `standardise` is set; a missing one becomes the running mean. A category
    becomes a whole number: 0 missing, 1 rare or unseen, then 2, 3, ... in order of first appearance, for the first
    `max_categories` values. Whole numbers keep River's sets in the same order in every process, text would not.
    """

    MISSING, RARE, FIRST = 0, 1, 2

    def __init__(
        self,
        numeric: Iterable[str],
        categorical: Iterable[str] = (),
        max_categories: int = 200,
        standardise: bool = False,
    ) -> None:
        super().__init__(numeric, categorical, max_categories, standardise)
        self._codes: list[dict[str, int]] = [{} for _ in self.categorical]

    def transform_one(self, x: AnyRow) -> Encoded:
        """The row as numbers and codes. Changes nothing."""
        return self._coded(x, *self._numbers(x))

    def take(self, row: AnyRow) -> Encoded:
        """Learn a row and return it transformed."""
        for name, codes in zip(self.categorical, self._codes, strict=True):
            if len(codes) < self.max_categories:
                value = category(row.get(name))
                if value is not None and value not in codes and len(value) <= LONGEST_CATEGORY:
                    codes[value] = self.FIRST + len(codes)
        return self._coded(row, *self._take_numbers(row))

    def _coded(self, row: AnyRow, out: Encoded, missing: list[str]) -> Encoded:
        for name in missing:
            out[name] = 0.0 if self.standardise else self._moments[self.numeric.index(name)][1]
        for name, codes in zip(self.categorical, self._codes, strict=True):
            value = category(row.get(name))
            out[name] = self.MISSING if value is None else codes.get(value, self.RARE)
        return out


def category(value: Any) -> str | None:
    """A categorical value as text; None where it is missing or can't be a category."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (bool, int)) else None


def usable(row: AnyRow, numeric: Iterable[str], categorical: Iterable[str]) -> dict[str, Any]:
    """The features of a row that hold something usable, as they are; the rest left out, as River likes it."""
    out: Encoded = {}
    get = row.get
    for name in numeric:
        value = get(name)
        if value.__class__ is float and -LIMIT <= value <= LIMIT:
            out[name] = value
        elif value is not None:
            known = finite(value)
            if known is not None:
                out[name] = known
    for name in categorical:
        value = get(name)
        if isinstance(value, (str, bool, int)):
            out[name] = value
    return out
