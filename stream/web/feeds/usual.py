"""What a feature was like when all was well, out of the alerts on it: for when the history has no reference of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from detectors.data.profiles import OTHER
from stream.config.budget import divide
from stream.config.model import Config
from stream.history.answers import CategoryValues, NumberValues
from stream.records import Window
from stream.web.feeds.headlines import day
from stream.web.feeds.incidents import Incident
from stream.web.parts import Usual

_OF_SOMETHING_ELSE: Final = ("new_category", "schema")
"""Kinds of detectors whose profiles are not of a feature's values."""


class Usuals:
    """Reads the profiles of alerts."""

    def __init__(self, config: Config) -> None:
        parts = divide(config)
        self._unfit = {part.config.called for part in parts if part.config.kind in _OF_SOMETHING_ELSE}
        self._numbers: Collection[str] = {*config.events.numeric, *config.model.outputs[0]}

    def of(self, incident: Incident, feature: str) -> Usual | None:
        """What the detector that told of an incident compared a feature with, or found to be usual since; None where
        the incident does not say.
        """
        alert, end = incident.first.alert, incident.end
        if alert.feature != feature or alert.segment is not None or alert.over or alert.detector in self._unfit:
            return None
        settled = end is not None and end.alert.state == "settled"
        window = alert.current if settled else alert.reference
        if window is None or not window.profile:
            return None
        told = "found to be usual since" if settled else "compared with before"
        values = _numbers(window, window.profile) if feature in self._numbers else _shares(window, window.profile)
        return Usual(values, f"what {alert.detector} {told} the alert of {day(alert.ts, alert.ts)}")


def _numbers(window: Window, profile: dict[str, float]) -> NumberValues:
    """Quantiles of the names p05, p25 and so on."""
    quantiles = {f"{int(name[1:]) / 100:g}": value for name, value in profile.items()}
    return NumberValues(n=window.n, quantiles=quantiles, missing=0.0)


def _shares(window: Window, profile: dict[str, float]) -> CategoryValues:
    shares = {name: share for name, share in profile.items() if name != OTHER and share > 0.0}
    return CategoryValues(n=window.n, shares=shares, missing=0.0)
