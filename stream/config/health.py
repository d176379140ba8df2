"""What is watched beside drift: whether labels still come, and whether the model fits what it learns from."""

from __future__ import annotations

from pydantic import Field

from stream.config.fields import Duration, Section


class StarvationConfig(Section):
    """Says when labels stop coming, or those of a class (docs/health.md). How many come, how late, and which share each
    class has, is learned.
    """

    after: Duration = Field(
        3600.0, ge=0, description="shortest time without the labels that were to be expected that is told"
    )
    delay: Duration | None = Field(
        None,
        gt=0,
        description="how late labels come at most, as a rule: with it, labels that never come from the first event on "
        "are told as well; left out: what is learned",
    )
    share: float = Field(
        0.01, gt=0, le=1, description="with `delay`: least share of events that get a label, until it is learned"
    )
    run_length: float = Field(
        1e6, ge=100, le=1e12, description="events that pass on average, at least, before a false alarm of either kind"
    )


class FitConfig(Section):
    """Says when the model learns events by heart (overfitting), or knows no more than a baseline (underfitting)."""

    gap: float = Field(
        0.5,
        gt=0,
        le=1,
        description="overfitting: share of the loss, before events are learned, that may be gone right after",
    )
    least_gain: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="underfitting: share by which the loss must be smaller than that of the best baseline",
    )
