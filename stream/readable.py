"""Alerts, predictions and dead letters as one line of text each, for people: the terminal's tail and the demo say them
alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.text import Text

from stream.records import Alert, Contributor, Prediction

if TYPE_CHECKING:
    from stream.deadletters import Sample

# As `detectors.data.profiles` and `detectors.segments` call them, which need NumPy: what prints alerts does without.
OTHER_VALUES: Final = "(other)"
OTHER_SEGMENT: Final = "(other)"
MISSING_SEGMENT: Final = "(missing)"

STYLES: Final = {
    "concept_drift": "bold red",
    "performance": "bold red",
    "data_drift": "yellow",
    "prediction_drift": "yellow",
    "data_quality": "yellow",
    "label_starvation": "yellow",
    "model_swap": "green",
    "rollback": "magenta",
}
"""How each kind of alert looks."""
SWAPS: Final = frozenset({"model_swap", "rollback"})
"""Kinds of alerts of another version that serves."""

_TOGETHER: Final = {"data_drift": "features", "prediction_drift": "predictions"}
"""What changed when no single feature is named; else it is the errors."""
_ERRORS: Final = "errors"
_DIGITS: Final = 4
_LONGEST: Final = 2000
"""Most characters of a dead letter's value on a line."""
_SEVERITIES: Final = {"critical": "bold red", "warning": "yellow"}


def alert_line(alert: Alert) -> Text:
    """All that is said of an alert: time (UTC), severity, kind, what changed and how, the evidence, what was done.

    Categories and classes are as their senders wrote them: what a terminal would obey is told instead.
    """
    line = Text(f"{moment(alert.ts)}  ")
    line.append(f"{_tame(alert.severity):<8}  ", _SEVERITIES.get(alert.severity, "cyan"))
    line.append(f"{_tame(kind_of(alert)):<16}  ", STYLES.get(alert.kind, ""))
    line.append(_tame(subject_of(alert)), "bold")
    for part in (progress_of(alert), change_of(alert), evidence_of(alert), others_of(alert)):
        if part:
            line.append(f"  {_tame(part)}")
    if alert.action != "none":
        line.append(f"  {_tame(words(alert.action))}", "cyan")
    line.append(f"  {_tame(alert.model)} v{alert.model_version}, partition {alert.partition} at {alert.offset}", "dim")
    return line


def prediction_line(prediction: Prediction) -> Text:
    """All that is said of a prediction: time (UTC), key, id, answer with its probability, version, latency, source.

    Keys, ids and classes are as their senders wrote them: what a terminal would obey is told instead.
    """
    line = Text(f"{moment(prediction.ts)}  ")
    line.append(f"{_tame(str(prediction.key or '-')):<8}  {_tame(str(prediction.id))}  ")
    line.append(_tame(answer_of(prediction)), "bold")
    line.append(f"  {_tame(prediction.model)} v{prediction.model_version}", "green")
    line.append(f"  {prediction.latency_ms:.1f} ms", "dim")
    line.append(f"  partition {prediction.partition} at {prediction.offset}", "dim")
    return line


def dead_letter_line(letter: Sample) -> Text:
    """All that is said of a dead letter: time (UTC), reason, which record it was and why, what it is like.

    Nobody has checked what stands in one: what a terminal would obey is told instead.
    """
    line = Text(f"{moment(letter.ts)}  ")
    line.append(f"{_tame(words(letter.reason)):<14}  ", "yellow")
    place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
    line.append(_tame(place), "bold")
    line.append(f"  {_tame(letter.message.removeprefix(f'{place}: '))}")
    value = letter.value if len(letter.value) <= _LONGEST else f"{letter.value[:_LONGEST]}..."
    if value:
        line.append(f"  {_tame(value)}", "dim")
    return line


def kind_of(alert: Alert) -> str:
    """`data drift`, `model swap`, ..."""
    return words(alert.kind)


def subject_of(alert: Alert) -> str:
    """What changed: a feature, or one category of it, in which segment, and the detector that says so."""
    if alert.feature is None and alert.detector is None:
        return words(alert.detail or alert.model)
    if alert.kind == "label_starvation":
        of_class = f"{'' if alert.over else 'no '}labels of class {alert.detail}"
        return of_class if alert.detector == "class_share" else alert.detail or "labels"
    if alert.kind == "performance":
        return f"{alert.detector}: {alert.detail}"
    if alert.kind == "data_quality":
        return f"{alert.feature} rejected" + (f", mostly {words(alert.detail)}" if alert.detail else "")
    detector = f" ({alert.detector})" if alert.detector else ""
    return f"{_subject(alert, _TOGETHER.get(alert.kind, _ERRORS))}{detector}"


def progress_of(alert: Alert) -> str:
    """`recovered after 2 days`, `further than at 2013-06-14 09:30`; empty for the first alert of a drift."""
    if alert.since is None:
        return ""
    if alert.over:
        return f"{alert.state} after {span(alert.duration or 0.0)}"
    return f"further than at {moment(alert.since)}"


def change_of(alert: Alert) -> str:
    """`up 36.1 -> 44.0`, `wider, deviation 6.1 -> 9.8`; empty when the alert tells of none."""
    if alert.before is None or alert.after is None:
        return alert.direction or ""
    numbers = " -> ".join(apart(alert.before, alert.after))
    if alert.direction in ("wider", "narrower"):
        return f"{alert.direction}, deviation {numbers}"
    return f"{alert.direction} {numbers}" if alert.direction else numbers


def evidence_of(alert: Alert) -> str:
    """When it began, the effect, the statistic against its threshold, the p-value, and how often that comes by chance,
    as far as known; of a swap, by how much the new model is better, and on how many labels that was seen.
    """
    parts = []
    if alert.change is not None and alert.change.ts is not None:
        parts.append(f"since {moment(alert.change.ts)}")
    if alert.kind in SWAPS and alert.current is not None:
        if lead := alert.current.profile:
            parts.append("by " + " to ".join(map(number, lead.values())))
        parts.append(f"{alert.current.n:,} labels compared")
    if alert.effect is not None:
        parts.append(f"effect {number(alert.effect)}")
    if alert.statistic is not None:
        limit = "" if alert.threshold is None else f" over {number(alert.threshold)}"
        parts.append(f"statistic {number(alert.statistic)}{limit}")
    if alert.p_value is not None:
        parts.append(f"p {alert.p_value:.1g}")
    if alert.expected_events_per_false_alarm is not None:
        parts.append(f"by chance once in {rounded(alert.expected_events_per_false_alarm)} events")
    return ", ".join(parts)


def others_of(alert: Alert) -> str:
    """`with humid x1.8, wind_speed x1.2`: what takes part beside the subject, statistics as multiples of thresholds."""
    others = ", ".join(map(_other, alert.contributors[1:]))
    return f"with {others}" if others else ""


def answer_of(prediction: Prediction) -> str:
    """The answer and, for a classification, its probability: `true 83%`."""
    said = prediction.prediction
    if said is None:
        return "nothing yet"
    if isinstance(said, float):
        return number(said)
    name = said if isinstance(said, str) else str(said).lower()
    share = (prediction.probabilities or {}).get(name)
    return name if share is None else f"{name} {share:.0%}"


def moment(seconds: float) -> str:
    """`2013-06-14 09:30`, UTC; `-` for a time beyond the calendar."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "-"


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`, `2.5 days`."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.{_DIGITS}g}"


def rounded(events: float) -> str:
    """A number of events, as people say it: `960`, `45,000`, `4.5 million`."""
    told = float(f"{events:.3g}")
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if told >= size:
            return f"{told / size:,.12g}{name}"
    return f"{told:,.0f}"


def _tame(text: str) -> str:
    """The text with escapes in the place of what does not print."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _other(one: Contributor) -> str:
    of_errors = one.detail is None or one.direction in ("worse", "better")
    subject = _subject(one, _ERRORS if of_errors else _TOGETHER["data_drift"])
    return subject if one.over is None else f"{subject} x{one.over:.2g}"


def _subject(one: Alert | Contributor, without: str) -> str:
    """A feature, or what stands `without` one, with what is said of it."""
    subject, between = (without, ": ") if one.feature is None else (one.feature, "=")
    of_errors = one.feature is None and without == _ERRORS  # whose detail says how they are judged
    if one.detail == OTHER_VALUES and one.feature is not None:
        subject = f"all other values of {subject}"
    elif one.detail is not None and not of_errors:
        subject += between + one.detail
    return subject if one.segment is None else f"{subject} where {segment_in_words(one.segment)}"


def segment_in_words(segment: str) -> str:
    """`country=US` as it is, `country=(other)` as `country is another value`, `country=(missing)` as `country is
    missing`.
    """
    for mark, said in (OTHER_SEGMENT, "is another value"), (MISSING_SEGMENT, "is missing"):
        if segment.endswith(f"={mark}"):
            return f"{segment.removesuffix(f'={mark}')} {said}"
    return segment


def apart(before: float, after: float) -> tuple[str, str]:
    """Two numbers, with four significant digits, or so many more, up to eight, that they do not look the same."""
    for digits in range(_DIGITS, 2 * _DIGITS + 1):
        texts = f"{before:.{digits}g}", f"{after:.{digits}g}"
        if len(set(texts)) == 2:
            return texts
    return number(before), number(after)


def words(name: str) -> str:
    """`beat_champion` as `beat champion`."""
    return name.replace("_", " ")
