"""What a false-alarm budget comes to: the part of `driftline check` that says how each detector is calibrated."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from detectors.registry import CONCEPT, DATA
from stream.config.budget import Part, divide
from stream.config.model import Config

_STILL = 0.2
"""Effect that scores of a model that learns on seldom reach by that alone: see benchmarks/budget.py."""
_NAMED = 3
"""Features up to which their names are shown instead of their number."""


def heading(config: Config) -> str:
    """The budget in one line."""
    alarms = config.alarms
    if alarms is None:
        return "No false-alarm budget (alarms): each detector is as its own section says."
    inside = [part for part in divide(config) if part.share is not None]
    streams = sum(part.streams for part in inside)
    weekly = "" if alarms.false_alarms_per_week is None else f", {alarms.false_alarms_per_week:g} a week"
    return (
        f"Budget: one false alarm in {alarms.events_per_alarm:,.0f} events{weekly}, over {streams} "
        f"stream{'' if streams == 1 else 's'} of values:"
    )


def table(config: Config) -> Table:
    """A line for each detector as it is built: what it watches, how many values of each may pass on average before a
    false alarm, and the statistic or the setting from which it alarms.
    """
    shown = Table(box=None, padding=(0, 2, 0, 0))
    shown.add_column("  detector")
    shown.add_column("watches")
    shown.add_column("run length each", justify="right")
    shown.add_column("alarms from")
    shown.add_column("")
    for part in divide(config):
        run_length = part.config.run_length
        shown.add_row(
            Text(f"  {part.config.called}"),
            Text(_watches(part)),
            "not known" if run_length is None else f"{run_length:,.0f}",
            Text(_alarms_from(part)),
            Text(_beside(part, config)),
        )
    return shown


def _beside(part: Part, config: Config) -> str:
    """What keeps the budget from holding for a detector."""
    if config.alarms is None:
        return ""
    if part.share is None:
        return "outside the budget"
    moves = part.section == "prediction" and config.adaptation.policy != "alert_only"
    least = getattr(part.config, "min_effect", 0.0)
    return "alarms at what the model learns, too" if moves and least < _STILL else ""


def _watches(part: Part) -> str:
    names = part.watches
    if part.section == "concept":
        what = "errors"
    elif part.section == "prediction":
        what = f"{' and '.join(names)} of predictions"
    elif part.section == "rejected":
        what = f"rejected records of {' and '.join(names)}"
    else:
        what = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} features"
    if part.together:
        what += " together"
    segments = part.config.segments
    return what if segments is None else f"{what}, by {segments.by} (up to {segments.most + 2} segments)"


def _alarms_from(part: Part) -> str:
    """What was set by hand; else the statistic, if it is known before the first value."""
    by_hand = [knob for knob in part.config.by_hand if knob != "run_length"]
    if part.share is None and by_hand:
        return ", ".join(f"{knob} {getattr(part.config, knob):g}" for knob in by_hand)
    if part.section == "rejected":
        threshold = part.config.run_length
    elif part.section == "concept":
        threshold = CONCEPT[part.config.kind](part.config).threshold
    else:
        threshold = DATA[part.config.kind](part.config, part.watches).threshold
    return "worked out from the values" if threshold is None else f"statistic {threshold:.4g}"
