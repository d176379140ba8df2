"""What is posted of an alert, in the words of who receives it. Nothing is in it that the alert does not have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from stream.config.webhooks import Format
from stream.core.alerts import severity_of
from stream.readable import change_of, evidence_of, kind_of, moment, number, others_of, progress_of, words
from stream.records import Alert

HELD: Final = 7 * 86400.0
"""Alertmanager takes a drift for over so many seconds after it was told, if nobody says so before."""
PASSING: Final = 300.0
"""The same of a swap or a rollback, which are no state but happen."""

_COLOURS: Final = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HEADER: Final = 150
_SECTION: Final = 3000
"""Most characters that Slack takes in a header and in a section."""

_ENCODE: Final = msgspec.json.Encoder().encode


class Body(Protocol):
    """Makes the body of an alert of the service `app`; `headline` is the alert in one sentence, `now` the time."""

    def __call__(self, alert: Alert, app: str, headline: str, now: float) -> bytes: ...


def body_for(style: Format) -> Body:
    """What makes the bodies of a format."""
    return {"slack": slack, "alertmanager": alertmanager, "json": plain}[style]


def plain(alert: Alert, app: str, headline: str, now: float) -> bytes:
    """The alert as it is on its topic."""
    return _ENCODE(alert)


def slack(alert: Alert, app: str, headline: str, now: float) -> bytes:
    """A message for Slack's incoming webhooks: a line for notifications, and blocks with the evidence."""
    title = f"{app}: {alert.state if alert.over else alert.severity}, {kind_of(alert)}"
    mark = ":large_green_circle:" if alert.over else _COLOURS.get(alert.severity, "")
    facts = [
        f"*{_escaped(name)}*\n{_escaped(text)}"
        for name, text in {
            "Change": " ".join(part for part in (progress_of(alert), change_of(alert)) if part),
            "Evidence": evidence_of(alert),
            "With it": others_of(alert).removeprefix("with "),
        }.items()
        if text
    ]
    where = f"{app}, {alert.model} version {alert.model_version}, partition {alert.partition} at offset {alert.offset}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(f"{mark} {title}", _HEADER), "emoji": True}},
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(_escaped(headline), _SECTION)}},
        *({"type": "section", "text": {"type": "mrkdwn", "text": _cut(fact, _SECTION)}} for fact in facts),
        {
            "type": "context",
            "elements": [
                {
                    "type": "mrkdwn",
                    "text": _cut(_escaped(f"{moment(alert.ts)} UTC, {where}, alert {alert.id}"), _SECTION),
                }
            ],
        },
    ]
    return _ENCODE({"text": _cut(_escaped(f"{title}. {headline}"), _SECTION), "blocks": blocks})


def alertmanager(alert: Alert, app: str, headline: str, now: float) -> bytes:
    """An alert for Alertmanager's API v2. One drift has the same labels from its beginning to its end, so that its end
    is taken for what it is.
    """
    labels = {
        "alertname": "Driftline" + "".join(part.capitalize() for part in alert.kind.split("_")),
        "app": app,
        "model": alert.model,
        "partition": str(alert.partition),
        "kind": alert.kind,
        "severity": severity_of(alert.kind),
        "incident": alert.incident or alert.id,
    }
    known = {
        "summary": headline,
        "description": ", ".join(part for part in (progress_of(alert), change_of(alert), evidence_of(alert)) if part),
        "detector": alert.detector,
        "feature": alert.feature,
        "segment": alert.segment,
        "with": others_of(alert).removeprefix("with "),
        "action": "" if alert.action == "none" else words(alert.action),
        "model_version": str(alert.model_version),
        "offset": str(alert.offset),
        "statistic": None if alert.statistic is None else number(alert.statistic),
        "threshold": None if alert.threshold is None else number(alert.threshold),
        "alert": alert.id,
    }
    ends = now if alert.over else now + (PASSING if alert.state is None else HELD)
    return _ENCODE(
        [
            {
                "labels": labels,
                "annotations": {name: text for name, text in known.items() if text},
                "startsAt": _iso(min(now, alert.ts if alert.since is None else alert.since)),
                "endsAt": _iso(ends),
            }
        ]
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
