"""Which answers are tried again, and when: ever later, by chance, and no sooner than the receiver asks for."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias

FIRST: Final = 1.0
LONGEST: Final = 60.0
"""Pauses between two attempts, in seconds; each is twice the one before it."""
MOST_ASKED: Final = 600.0
"""Longest pause, in seconds, that a receiver can ask for."""

Verdict: TypeAlias = Literal["delivered", "retry", "refused"]

_LATER: Final = frozenset({408, 429})


def verdict(status: int) -> Verdict:
    """What an answer means. Redirects are refused: an alert goes where the configuration says, nowhere else."""
    if 200 <= status < 300:
        return "delivered"
    return "retry" if status >= 500 or status in _LATER else "refused"


def pause(failures: int, chance: float, asked: float | None = None) -> float:
    """Seconds to wait after so many failures, at least one. `chance`, in [0, 1), spreads those that failed together
    over the second half of the pause; `asked` is what the receiver wants at least.
    """
    longest = min(LONGEST, FIRST * 2.0 ** (failures - 1))
    return max(longest * (0.5 + chance / 2), min(asked or 0.0, MOST_ASKED))


def asked_for(header: str | None, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, as such or as a date; None for no header or any other text."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
