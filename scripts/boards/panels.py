"""What a dashboard is made of. A query names metrics bare; the dashboard's choice of job, and of partition where a
metric has one, is added when it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

Json: TypeAlias = dict[str, Any]


class Panel(NamedTuple):
    """One picture. `queries` are by legend; `width` is of 24; `look` is of the panel's fields and `mode` of
    a number's text, as Grafana has them.
    """

    title: str
    text: str
    queries: Mapping[str, str]
    unit: str = ""
    width: int = 8
    kind: str = "timeseries"
    height: int = 8
    look: Mapping[str, Any] = {}
    mode: str = "auto"


class Row(NamedTuple):
    """Panels under a heading, from left to right."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(NamedTuple):
    """`name` is that of its file and its address."""

    name: str
    title: str
    rows: tuple[Row, ...]


BARS: Final[Json] = {"custom": {"drawStyle": "bars", "fillOpacity": 60}}


def mapped(**words: tuple[str, str]) -> Json:
    """Numbers as words with a colour: `n1=("up", "green")`."""
    options = {name.removeprefix("n"): {"text": text, "color": color} for name, (text, color) in words.items()}
    return {"mappings": [{"type": "value", "options": options}]}


UP: Final = mapped(n0=("down", "red"), n1=("up", "green"))
STATES: Final = mapped(n0=("warm-up", "blue"), n1=("stable", "green"), n2=("warning", "orange"), n3=("drift", "red"))
YES: Final = mapped(n0=("no", "green"), n1=("yes", "red"))


def marked(*steps: tuple[float | None, str]) -> Json:
    """Colours from these values on, None being the least; a line at each."""
    return {
        "custom": {"thresholdsStyle": {"mode": "line"}},
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]},
    }


def stat(title: str, text: str, queries: Mapping[str, str], unit: str = "", width: int = 4) -> Panel:
    """A number, as it is now."""
    return Panel(title, text, queries, unit, width, "stat", 4)


def table(title: str, text: str, query: str, width: int = 12) -> Panel:
    """The series of one query, as they are now, a line each."""
    return Panel(title, text, {"": query}, "", width, "table")


def quantiles(metric: str) -> dict[str, str]:
    """The median, and what 95 and 99 of 100 stay below, of a histogram."""
    return {
        f"{q:.0%} below": f"histogram_quantile({q}, sum by (le) (rate({metric}_bucket[$__rate_interval])))"
        for q in (0.5, 0.95, 0.99)
    }
