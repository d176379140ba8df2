"""What the detectors on features compare a stream with."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from stream.config.fields import Section

REDIS: Final = "redis"
"""Stands for the profile that is kept with the model."""


class ReferencesConfig(Section):
    """References that are there from the start. After a drift a feature learns anew from the stream all the same.

    A profile with another sample begins tasks anew, as another configuration of detectors does.
    """

    profile: str | None = Field(
        None,
        min_length=1,
        description="a file that `driftline profile build` made, or `redis`: what `driftline profile push` put there; "
        "left out: each feature learns its reference from its first values",
    )
    lacking: Literal["refuse", "learn"] = Field(
        "refuse",
        description="where the profile has too few values of a feature for a detector: do not start, or learn from the "
        "stream those that it lacks",
    )
