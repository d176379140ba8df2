"""An alert in one plain sentence: what changed, since when, how sure that is, and what Driftline did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from detectors.data.profiles import OTHER
from learners.base import Problem
from stream.config.budget import divide
from stream.config.model import Config
from stream.core.fit import OVERFIT
from stream.core.starvation import NEVER_SEEN
from stream.readable import apart, number, rounded, segment_in_words, span, words
from stream.records import Alert

_SWAP: Final = re.compile(r"version (\d+) to (\d+): (.*)", re.DOTALL)
_DEPENDENT: Final = "depend on those before them"
"""What an alarm says that cannot be relied on (`detectors.watch`)."""

_REASONS: Final[Mapping[str, str]] = {
    "beat_champion": "it proved better",
    "recurring": "it knows what has come back",
    "reset": "the policy is to begin anew",
    "promoted": "by hand",
}
"""Why a model was swapped in, by cause."""

_DONE: Final[Mapping[str, str]] = {
    "challenger_started": "a challenger was started",
    "challenger_learning": "a challenger is learning",
    "promotions_held": "no model is promoted meanwhile",
}
_AT_LENGTH: Final[Mapping[str, str]] = {
    "challenger_started": "Driftline started a challenger. It learns beside the champion and takes over if it proves "
    "better.",
    "challenger_learning": "A challenger was learning already. It takes over if it proves better.",
    "promotions_held": "Driftline promotes no model for as long as labels are missing.",
}
_LEFT_ALONE: Final[Mapping[str, str]] = {
    "concept_drift": "Driftline changed nothing: by its policy it only tells.",
    "data_drift": "Driftline changed nothing: a model is replaced when it errs more, not when its input changes.",
    "prediction_drift": "Driftline changed nothing: a model is replaced when it errs more, not when it says something "
    "else.",
    "data_quality": "Driftline sent the records to the dead letters.",
}
_SHARES: Final[Mapping[str, str]] = {
    "missing_rate": "the share of events without {feature}",
    "value_range": "the share of {feature} {detail}",
    "new_category": "the share of values of {feature} that were never seen before, mostly {detail},",
    "schema": "the share of {feature} with {detail}",
}
"""What `before` and `after` are of, for detectors of something other than the values themselves."""


class Headlines:
    """Puts the alerts of one service into words."""

    def __init__(self, config: Config) -> None:
        self._kinds = {part.config.called: part.config.kind for part in divide(config)}
        self._numbers = {*config.events.numeric, "score"}
        regression = config.model.problem is Problem.REGRESSION
        self._errors = "mean error" if regression or config.detectors.error == "absolute" else "error rate"

    def headline(self, first: Alert, newest: Alert | None = None, end: Alert | None = None) -> str:
        """The sentence on a drift: from its `first` alert, the `newest` that says how far it has gone, and its `end`.

        It ends with what Driftline did, unless the drift is over, which is then told instead.
        """
        if first.kind in ("model_swap", "rollback"):
            return _sentence(f"{_swapped(first)}, {_on(first.ts, first.ts)}")
        if first.over:  # how it began is no longer kept
            return _sentence(f"{self._subject(first)} changed", _over(first))
        begun = self._change(first)
        if end is not None:
            return _sentence(f"{begun}, {_on(_since(first), end.ts)}", _over(end))
        further = "" if newest is None or newest is first else _further(first, newest, self._is_share(first))
        return _sentence(begun + _when(first), _aside(first), further, _certainty(first), _DONE.get(first.action, ""))

    def action(self, first: Alert, swap: Alert | None = None) -> str:
        """What Driftline did, at length; `swap` is the change of the champion that came of it."""
        if first.kind in ("model_swap", "rollback"):
            return _sentence(_swapped(first))
        done = _AT_LENGTH.get(first.action) or _LEFT_ALONE.get(first.kind, "Driftline changed nothing.")
        return done if swap is None else f"{done} {_sentence(f'{_swapped(swap)}, {_on(swap.ts, first.ts)}')}"

    def _change(self, alert: Alert) -> str:
        """What changed, from what to what."""
        if alert.kind == "performance":
            return (
                f"the model learns by heart: {alert.detail}"
                if alert.detector == OVERFIT
                else f"the model is {alert.detail}"
            )
        if alert.detector == NEVER_SEEN:
            return f"labels are not as configured: {alert.detail}"
        if alert.kind == "label_starvation":
            of_class = f" of class {alert.detail}" if alert.feature == "class" else ""
            return f"labels{of_class} have stopped coming"
        subject = self._subject(alert)
        if alert.before is None or alert.after is None:
            return f"{subject} changed"
        before, after = _levels(alert.before, alert.after, self._is_share(alert))
        if alert.feature is None and alert.kind != "concept_drift":
            return f"{subject} changed together, most of all {_first(alert.detail)}, from {before} to {after},"
        verb = "rose" if alert.after > alert.before else "fell"
        return f"{subject} {verb} from {before} to {after}"

    def _subject(self, alert: Alert) -> str:
        """What changed, as the subject of a sentence."""
        where = "" if alert.segment is None else f" where {segment_in_words(alert.segment)}"
        feature, detail = alert.feature, _first(alert.detail)
        if alert.kind in ("label_starvation", "performance"):
            return "labels" if alert.kind == "label_starvation" else "the model's fit"
        if alert.kind == "concept_drift":
            return f"the model's {self._errors}{where}"
        if _of_records(alert):
            return f"the share of {feature} that cannot be used"
        if feature is None:
            return f"{'predictions' if alert.kind == 'prediction_drift' else 'features'}{where}"
        name = feature if alert.kind != "prediction_drift" else f"predictions' {feature}"
        share = _SHARES.get(self._kinds.get(alert.detector or "", ""))
        if share is not None and (detail is not None or "{detail}" not in share):
            return share.format(feature=name, detail=detail) + where
        if alert.direction in ("wider", "narrower"):
            return f"the spread of {name}{where}"
        if feature in self._numbers and alert.before is not None:
            return f"the mean of {name}{where}"
        if detail is None:
            return f"the distribution of {name}{where}"
        if detail == OTHER:
            return f"the share of all other values of {name}{where}"
        return f"the share of {name} {detail}{where}"

    def _is_share(self, alert: Alert) -> bool:
        """Whether `before` and `after` are shares, best told in percent."""
        if alert.kind == "concept_drift":
            return self._errors == "error rate"
        by_share = self._kinds.get(alert.detector or "") in _SHARES
        of_class = alert.feature is not None and alert.feature not in self._numbers
        return by_share or of_class


def _when(alert: Alert) -> str:
    known = alert.change is not None and alert.change.ts is not None
    return f"{' since' if known else '; seen on'} {day(_since(alert), alert.ts)}"


def _aside(alert: Alert) -> str:
    """What else helps to see what it is about."""
    if _of_records(alert):
        return f"most of them for {words(alert.detail)}" if alert.detail else ""
    if alert.kind != "label_starvation":
        return ""
    if alert.feature == "class":
        return "" if alert.before is None else f"usually {_percent(alert.before)} of labels are of it"
    return alert.detail or ""


def _since(alert: Alert) -> float:
    """When it most probably began; when it was told, if that is not known."""
    return alert.ts if alert.change is None or alert.change.ts is None else alert.change.ts


def _on(seconds: float, told: float) -> str:
    return f"on {day(seconds, told)}"


def _further(first: Alert, newest: Alert, share: bool) -> str:
    if newest.after is None or first.after is None:
        return f"it went further on {day(newest.ts, first.ts)}"
    return f"it has gone on to {_levels(first.after, newest.after, share)[1]} by {day(newest.ts, first.ts)}"


def _certainty(alert: Alert) -> str:
    """How sure it is that something changed."""
    if alert.detail is not None and _DEPENDENT in alert.detail:
        return "not to be relied on, as values depend on those before them"
    if alert.expected_events_per_false_alarm is not None:
        return f"by chance once in {rounded(alert.expected_events_per_false_alarm)} events"
    if alert.p_value is not None:
        return f"by chance with probability {alert.p_value:.1g}"
    if alert.statistic is not None and alert.threshold is not None and alert.threshold > 0.0:
        return f"the evidence is {number(alert.statistic / alert.threshold)} times what an alarm takes"
    return ""


def _over(end: Alert) -> str:
    after = "" if end.duration is None else f" after {span(end.duration)}"
    return f"it recovered{after}" if end.state == "recovered" else f"it has become what is usual{after}"


def _swapped(alert: Alert) -> str:
    """`version 4 took over from version 3 (it proved better)`."""
    found = _SWAP.fullmatch(alert.detail or "")
    if found is None:
        return words(alert.detail or alert.kind)
    before, after, reason = found.groups()
    cause, _, why = reason.partition(": ")
    if alert.kind == "rollback":
        return f"version {before} was rolled back to version {after}{f' ({why})' if why else ''}"
    return f"version {after} took over from version {before} ({_REASONS.get(cause, cause)}{f': {why}' if why else ''})"


def _first(detail: str | None) -> str | None:
    """What a detail names first. What it says of values that depend on each other is told elsewhere."""
    name = (detail or "").split("; ")[0]
    return name if name and _DEPENDENT not in name else None


def _of_records(alert: Alert) -> bool:
    return alert.kind == "data_quality"


def _levels(before: float, after: float, share: bool) -> tuple[str, str]:
    """Two levels so that they do not look the same."""
    if share:
        for decimals in range(4):
            texts = _percent(before, decimals), _percent(after, decimals)
            if len(set(texts)) == 2:
                return texts
    return apart(before, after)


def _percent(share: float, decimals: int = 0) -> str:
    """In percent, with so many decimals, or so many more, up to three, that what is not nothing does not look so."""
    text = f"{share:.{decimals}%}"
    nothing = share != 0.0 and not any(digit in text for digit in "123456789")
    return _percent(share, decimals + 1) if nothing and decimals < 3 else text


def day(seconds: float, told: float) -> str:
    """`8 February, 04:00 UTC`; with the year where it is not that of the time at which it is told."""
    try:
        at, then = (datetime.fromtimestamp(time, UTC) for time in (seconds, told))
    except (ValueError, OverflowError, OSError):
        return "an unknown day"
    year = "" if at.year == then.year else f" {at.year}"
    return f"{at.day} {at:%B}{year}, {at:%H:%M} UTC"


def _sentence(*parts: str) -> str:
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."
