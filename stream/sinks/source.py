"""Whose an alert is, by its CloudEvents header: several services may share a topic."""

from __future__ import annotations

from typing import Final

from stream.records import RawRecord

HEADER: Final = "ce_source"


def source(app: str) -> str:
    """How the sources of all alerts of a service begin."""
    return f"/driftline/{app}/"


def is_of(app: str, record: RawRecord) -> bool:
    """Whether an alert is that of a service. One that says nothing of whose it is counts as everybody's."""
    said = dict(record.headers or ()).get(HEADER)
    return said is None or said.startswith(source(app).encode())
