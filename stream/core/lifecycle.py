"""What a model of a task can be, and what moves it on: one table, from which docs/adaptation.md draws its diagram."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Stage(Enum):
    """What a model is to its task."""

    TRAINING = "training"
    """A challenger that was compared on too few labels to be judged."""
    CANDIDATE = "candidate"
    """A challenger that is judged."""
    PROPOSED = "proposed"
    """A challenger whose promotion was asked for."""
    PROBATION = "probation"
    """The champion, while the one before it looks on."""
    CHAMPION = "champion"
    """The champion, with nobody to go back to."""
    SHADOW = "shadow"
    """The champion before this one, while that is on probation."""
    RETIRED = "retired"
    """In the library, if it was champion, or gone."""


class Cause(Enum):
    """What moves a model from one stage to another."""

    COMPARED = "compared on min_labels"
    WON = "proved better"
    RESET = "policy reset"
    FALSE_WARNING = "false warning"
    OUTLIVED = "max_labels without winning"
    SUPERSEDED = "a younger one took its place"
    SWAPPED = "another was promoted"
    REFUSED = "promotion refused"
    PROMOTED = "promoted"
    RESTORED = "brought back"
    CALLED_BACK = "called back by hand"
    HELD_UP = "probation passed"
    PROVED_WORSE = "proved worse"
    ROLLED_BACK = "rolled back"
    WITHDRAWN = "withdrawn"
    RECALLED = "its concept came back"
    REPEATED = "goes on in the pool"


TRANSITIONS: Final[Mapping[tuple[Stage, Cause], Stage]] = {
    (Stage.TRAINING, Cause.COMPARED): Stage.CANDIDATE,
    (Stage.TRAINING, Cause.FALSE_WARNING): Stage.RETIRED,
    (Stage.TRAINING, Cause.SUPERSEDED): Stage.RETIRED,
    (Stage.TRAINING, Cause.SWAPPED): Stage.RETIRED,
    (Stage.TRAINING, Cause.WITHDRAWN): Stage.RETIRED,
    (Stage.TRAINING, Cause.REPEATED): Stage.TRAINING,
    (Stage.TRAINING, Cause.RESET): Stage.PROPOSED,
    (Stage.CANDIDATE, Cause.RESET): Stage.PROPOSED,
    (Stage.CANDIDATE, Cause.WON): Stage.PROPOSED,
    (Stage.CANDIDATE, Cause.FALSE_WARNING): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.OUTLIVED): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.PROVED_WORSE): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.SUPERSEDED): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.SWAPPED): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.WITHDRAWN): Stage.RETIRED,
    (Stage.CANDIDATE, Cause.REPEATED): Stage.TRAINING,
    (Stage.TRAINING, Cause.CALLED_BACK): Stage.CHAMPION,
    (Stage.CANDIDATE, Cause.CALLED_BACK): Stage.CHAMPION,
    (Stage.PROPOSED, Cause.REFUSED): Stage.RETIRED,
    (Stage.PROPOSED, Cause.REPEATED): Stage.TRAINING,
    (Stage.PROPOSED, Cause.SWAPPED): Stage.RETIRED,
    (Stage.PROPOSED, Cause.PROMOTED): Stage.PROBATION,
    (Stage.PROPOSED, Cause.RESTORED): Stage.CHAMPION,
    (Stage.PROPOSED, Cause.CALLED_BACK): Stage.CHAMPION,
    (Stage.PROBATION, Cause.HELD_UP): Stage.CHAMPION,
    (Stage.PROBATION, Cause.ROLLED_BACK): Stage.RETIRED,
    (Stage.CHAMPION, Cause.ROLLED_BACK): Stage.RETIRED,
    (Stage.PROBATION, Cause.SWAPPED): Stage.SHADOW,
    (Stage.CHAMPION, Cause.SWAPPED): Stage.SHADOW,
    (Stage.SHADOW, Cause.WON): Stage.PROPOSED,
    (Stage.SHADOW, Cause.CALLED_BACK): Stage.CHAMPION,
    (Stage.SHADOW, Cause.HELD_UP): Stage.RETIRED,
    (Stage.SHADOW, Cause.SWAPPED): Stage.RETIRED,
    (Stage.SHADOW, Cause.REPEATED): Stage.TRAINING,
    (Stage.RETIRED, Cause.RECALLED): Stage.TRAINING,
}


def moved(stage: Stage, cause: Cause) -> Stage:
    """The stage that a cause leads to. Raises KeyError where the table has no such transition: that is a defect."""
    return TRANSITIONS[stage, cause]


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Stage.TRAINING.value}: warning, drift, pool or push"]
    for (stage, cause), to in TRANSITIONS.items():
        lines.append(f"    {stage.value} --> {to.value}: {cause.value}")
    return "\n".join(lines)
