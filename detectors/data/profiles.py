"""Profiles of a reference and of a current window, side by side, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.base import Profile
from detectors.data.windowed import Floats

OTHER = "(other)"
"""What is said of categories that are not told apart. Bracketed, as many streams have one of the name "other"."""
_PERCENT = (5, 25, 50, 75, 95)
_MOST = 10
"""Categories in a profile, of which the rest is the share of all others."""


def quantiles(ordered: Floats) -> Profile:
    """Quantiles by name. Each is one of the values, as between two of them there may be none."""
    n = len(ordered)
    return {f"p{percent:02}": float(ordered[(percent * n + 99) // 100 - 1]) for percent in _PERCENT}


def shares(known: Mapping[str, int], seen: Mapping[str, int]) -> tuple[Profile, Profile]:
    """Shares in two samples, given as counts, of the categories that are most frequent in both; the others' last.

    Both profiles have the same names in the same order.
    """
    one, other = (sum(counts.values()) for counts in (known, seen))
    both = {name: known.get(name, 0) / one + seen.get(name, 0) / other for name in {**known, **seen}}
    found = [name for name, share in both.items() if share > 0.0 and name != OTHER]
    shown = sorted(found, key=lambda name: -both[name])[:_MOST]
    return _shares(known, shown), _shares(seen, shown)


def _shares(counts: Mapping[str, int], shown: list[str]) -> Profile:
    total, own = sum(counts.values()), [counts.get(name, 0) for name in shown]
    part = {name: count / total for name, count in zip(shown, own, strict=True)}
    return {**part, OTHER: (total - sum(own)) / total}
