"""Whether a command printed what a page shows: words must agree; numbers, times and digests may differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ANY = "..."
_DAY = r"(?:\d{1,2} [A-Z][a-z]{2} \d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)"
_NUMBER = r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"
_ZERO = r"[-+]?0[0.,]*"
_COUNT = rf"(?=[-+]?[\d.,]*[1-9]){_NUMBER}"
_DIGEST = r"\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
_VARIES = re.compile(rf"(?P<any>\.\.\.)|(?P<day>{_DAY})|(?P<digest>{_DIGEST})|(?P<number>{_NUMBER})|(?P<space>\s+)")
_PATTERNS = {"any": r".*", "day": _DAY, "digest": r"[0-9a-f]{8,}", "number": _COUNT, "space": r"\s+"}


def missing(shown: Sequence[str], printed: str) -> str | None:
    """The first line of `shown` that was not printed after those before it; None if there is none.

    Other lines may have been printed in between. Three dots stand for anything: in a line, or for any lines. Zero is
    zero, and any other number stands for any other.
    """
    lines = iter(printed.splitlines())
    for line in shown:
        wanted = line.strip()
        if wanted in ("", _ANY):
            continue
        pattern = shape(wanted)
        if not any(pattern.fullmatch(candidate.strip()) for candidate in lines):
            return line
    return None


def shape(line: str) -> re.Pattern[str]:
    """What a line like this one matches."""
    parts, at = [], 0
    for match in _VARIES.finditer(line):
        assert match.lastgroup is not None
        zero = match.lastgroup == "number" and not re.search(r"[1-9]", match[0])
        parts += [re.escape(line[at : match.start()]), _ZERO if zero else _PATTERNS[match.lastgroup]]
        at = match.end()
    return re.compile("".join([*parts, re.escape(line[at:])]))
