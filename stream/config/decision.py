"""How probabilities become decisions: by what mistakes cost, or by a threshold that follows recent labels."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from stream.config.fields import Section

Goal: TypeAlias = Literal["cost", "f_beta", "precision", "recall"]
Costs: TypeAlias = dict[str, dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]]
BINARY = ("true", "false")


class DecisionConfig(Section):
    """How probabilities become decisions. Published probabilities stay what they are."""

    costs: Costs = Field(
        {},
        description='cost of saying the inner class where the outer is true, as in {"true": {"false": 100}}; left out: '
        "1 for a mistake, 0 for what is right. The decision is the one that costs least on average",
    )
    tune: Goal | None = Field(
        None,
        description="binary only: choose the threshold anew from recent labels: cost, the least mean cost; f_beta, the "
        "best F-score; precision (recall), at least `target` of it with the most of the other. Left out: the threshold "
        "follows from the costs",
    )
    target: float = Field(0.5, gt=0, le=1, description="precision or recall to reach, where that is what is tuned for")
    beta: float = Field(1.0, gt=0, le=100, description="weight of recall against precision in the F-score")
    every: int = Field(200, ge=1, le=1_000_000, description="labels between two choices of the threshold")
    min_positives: int = Field(
        30, ge=1, le=100_000, description="labels of true that are known before the threshold is first chosen"
    )

    @model_validator(mode="after")
    def _says_something(self) -> DecisionConfig:
        if not self.costs and self.tune is None:
            raise ValueError("expected costs, tune or both; without either, remove the section")
        return self

    def check_binary(self) -> None:
        """Raises ValueError where the costs are not those of true and false, or make a mistake the better choice."""
        named = {*self.costs, *(said for row in self.costs.values() for said in row)}
        for name in sorted(named - set(BINARY)):
            raise ValueError(
                f"decision.costs: got {name!r}; the classes of a binary problem are true and false (in quotes), "
                "whatever the texts of its labels"
            )
        for truth, mistake in (("true", "false"), ("false", "true")):
            row = self.costs.get(truth, {})
            if row.get(mistake, 1.0) <= row.get(truth, 0.0):
                raise ValueError(
                    f"decision.costs: where {truth} is right, saying {mistake} costs {row.get(mistake, 1.0):g} and "
                    f"saying {truth} {row.get(truth, 0.0):g}; expected the mistake to cost more"
                )
