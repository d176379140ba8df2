"""Where alerts are posted to, beside their topic."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field

from stream.config.fields import Duration, Secret, Section, Words

MOST: Final = 10
"""Webhooks of a service at most: each has a thread and a member of a consumer group."""

AlertKind: TypeAlias = Literal[
    "concept_drift",
    "data_drift",
    "prediction_drift",
    "data_quality",
    "performance",
    "label_starvation",
    "model_swap",
    "rollback",
]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Format: TypeAlias = Literal["slack", "alertmanager", "json"]

_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


def address(url: str) -> str:
    """Check an address to post to. Raises ValueError, without the address: it may be a secret."""
    if not _ADDRESS.fullmatch(url):
        raise ValueError("expected an address that begins with https:// or http://")
    return url


Address = Annotated[
    Annotated[str, AfterValidator(address)] | Secret,
    Words("an address that begins with https:// or http://, or `env: NAME` or `file: PATH` of where it is kept"),
]


class WebhookConfig(Section):
    """Posts alerts to an address, each until it is taken or given up (docs/monitoring.md)."""

    name: Annotated[str, Words("lower-case letters, digits and hyphens, a letter or digit first")] = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,49}$", description="its name, for metrics, the log and its consumer group"
    )
    url: Address = Field(
        description="where to post; one that is a secret, as Slack's are, does not belong into this file: say where it "
        "is kept"
    )
    format: Format = Field(
        "json",
        description="body: slack (incoming webhooks, and what understands them), alertmanager (its API v2: post to "
        "/api/v2/alerts), json (the alert as it is on its topic)",
    )
    secret: Secret | None = Field(
        None, description="secret with which requests are signed (HMAC-SHA-256), so that the receiver knows us"
    )
    kinds: list[AlertKind] | None = Field(None, min_length=1, description="kinds of alerts to post; left out: all")
    severity: Severity = Field(
        "info", description="least severity to post; that a drift is over is posted where the drift was"
    )
    timeout: Duration = Field(10.0, gt=0, le=60, description="longest wait for an answer")
    attempts: int = Field(8, ge=1, le=20, description="attempts, over about three minutes, before one is given up")
