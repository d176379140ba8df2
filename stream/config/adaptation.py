"""What becomes of the model when the world changes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from learners.registry import AnyLearnerConfig
from stream.config.fields import Section

Policy: TypeAlias = Literal["replace_when_better", "reset", "keep_learning", "alert_only"]


class AdaptationConfig(Section):
    """What happens on concept drift."""

    policy: Policy = Field(
        "replace_when_better",
        description="replace_when_better: challengers compete, and one that proves better is promoted; reset: drift "
        "promotes a fresh model at once; keep_learning: the champion goes on learning, nothing else; alert_only: it "
        "does not even learn, for models that were trained elsewhere",
    )
    start: Literal["warning", "drift"] = Field(
        "drift",
        description="when challengers start to learn; those that start on a warning are promoted only once a drift has "
        "confirmed it, and retire when none does",
    )
    challengers: tuple[Literal["fresh", "copy"], ...] = Field(
        ("fresh",),
        min_length=1,
        description="what starts: fresh, an untrained model; copy, the champion taught the newest labels once more",
    )
    pool: tuple[AnyLearnerConfig, ...] = Field(
        (), max_length=8, description="other learners that always compete with the champion, drift or not"
    )
    buffer: int = Field(
        500, ge=0, le=100_000, description="newest labelled events kept, from which challengers have a head start"
    )
    error: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="probability that a challenger that was never better is promoted, over all that compete at a time; "
        "the same for the champion before being brought back",
    )
    min_labels: int = Field(
        50, ge=30, description="labelled events over which a challenger is compared; none is promoted before"
    )
    max_labels: int = Field(
        20_000, ge=30, description="labelled events after which a challenger that has not won retires"
    )
    margin: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="how much smaller the challenger's mean loss must be, as a share of the champion's",
    )
    probation: int = Field(
        2_000,
        ge=0,
        description="labelled events over which a new champion can be replaced again by the one before it, if that "
        "proves better; 0: never",
    )
    library: int = Field(
        3, ge=0, le=20, description="retired champions that are kept, to compete again when their concept comes back"
    )

    @property
    def promotes(self) -> bool:
        """Whether challengers compete, and one that wins is promoted."""
        return self.policy in ("replace_when_better", "reset")

    @model_validator(mode="after")
    def _room_to_win(self) -> AdaptationConfig:
        if self.max_labels < self.min_labels:
            raise ValueError(f"max_labels is {self.max_labels}; expected at least min_labels ({self.min_labels})")
        return self

    @model_validator(mode="after")
    def _pool_competes(self) -> AdaptationConfig:
        if self.pool and not self.promotes:
            raise ValueError(
                f"pool: got {len(self.pool)} learners with policy {self.policy}, which promotes none. Remove them, or "
                "use replace_when_better"
            )
        return self
