"""The false-alarm budget, as a user states it: in events, or in time."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, model_validator

from stream.config.fields import Section

SMALLEST: Final = 1000.0
"""Events per false alarm below which no detector would have the time to learn what is usual."""
LARGEST: Final = 1e12
"""Events per false alarm above which it is as good as none."""

WEEK: Final = 604_800.0
"""Seconds."""

Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class AlarmsConfig(Section):
    """How many false alarms are put up with, over everything that is watched. It is divided over the detectors, a
    detector's part over its features, and each is calibrated to what it gets. A detector with a setting of its own for
    how easily it alarms keeps it and is outside the budget. Left out: every detector is as its own section says.

    Either in events, or in time along with the rate of events to be expected.
    """

    expected_events_per_false_alarm: float | None = Field(
        None,
        ge=SMALLEST,
        le=LARGEST,
        allow_inf_nan=False,
        description="events that pass on average before one of all detectors alarms without a cause",
    )
    false_alarms_per_week: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="the same in time: alarms without a cause, on average in a week"
    )
    expected_events_per_second: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="with `false_alarms_per_week`: events of the service, on average, over all partitions and hours",
    )
    weights: dict[str, Weight] = Field(
        {},
        description="parts of the budget by detector (its name, or its kind where it has none), or by detector/feature "
        "within the detector's part; 1 each where nothing is said",
    )

    @model_validator(mode="after")
    def _said_once(self) -> AlarmsConfig:
        events, weekly, rate = (
            self.expected_events_per_false_alarm,
            self.false_alarms_per_week,
            self.expected_events_per_second,
        )
        if events is not None and (weekly, rate) != (None, None):
            other = "expected_events_per_second" if weekly is None else "false_alarms_per_week"
            raise ValueError(
                f"{other}: stands along with expected_events_per_false_alarm; expected one of the two forms. Remove one"
            )
        if events is None and weekly is None:
            raise ValueError(
                "says not how many; expected expected_events_per_false_alarm, or false_alarms_per_week along with "
                "expected_events_per_second. Give one of the two, or remove the section"
            )
        if weekly is not None and rate is None:
            raise ValueError(
                "expected_events_per_second: is missing; false_alarms_per_week needs it, as detectors count events. "
                "Give it, or give expected_events_per_false_alarm instead"
            )
        if not SMALLEST <= self.events_per_alarm <= LARGEST:
            raise ValueError(
                f"false_alarms_per_week: got {weekly:g} at {rate:g} events a second, which is one in "
                f"{self.events_per_alarm:,.0f} events; expected one in {SMALLEST:,.0f} to {LARGEST:,.0f}. "
                f"{'Raise' if self.events_per_alarm > SMALLEST else 'Lower'} it"
            )
        return self

    @property
    def events_per_alarm(self) -> float:
        """The budget: events that pass on average before a false alarm."""
        if self.expected_events_per_false_alarm is not None:
            return self.expected_events_per_false_alarm
        assert self.false_alarms_per_week is not None
        assert self.expected_events_per_second is not None
        return self.expected_events_per_second * WEEK / self.false_alarms_per_week
