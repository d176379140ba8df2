"""What is told of a change of the champion: from which version to which, why, and by how much it proved better."""

from __future__ import annotations

from typing import Any

from stream.core.alerts import AlertMaker
from stream.core.contestants import Win
from stream.core.fingerprint import fingerprint
from stream.core.state import TaskState
from stream.records import Alert, Swap, Window


def win_of(state: TaskState, swap: Swap) -> Win | None:
    """What the model that is about to serve has won with: if it is the one whose promotion was asked for or, after a
    crash, its copy of the store; None for any other, and for one that had nothing to prove.
    """
    asked, won = state.adaptation.proposed, state.adaptation.won
    if asked is None or won is None or asked.origin == "reset" or asked.reason != swap.cause:
        return None
    is_it = swap.learner is asked.learner or fingerprint(swap.learner) == fingerprint(asked.learner)
    return won if is_it else None


def swap_alert(maker: AlertMaker, state: TaskState, swap: Swap, before: int, won: Win | None) -> Alert:
    """The alert that another version than `before` serves, with the evidence for it, if it `won`."""
    at = state.positions.get("events", 0), state.stream_time
    kind = "rollback" if swap.cause == "rollback" else "model_swap"
    detail = f"version {before} to {swap.version}: {swap.reason}"
    return maker.make(kind, state.version, at, "swapped", detail=detail, **({} if won is None else _evidence(won)))


def _evidence(won: Win) -> dict[str, Any]:
    lead = None if won.interval is None else {"advantage_low": won.interval[0], "advantage_high": won.interval[1]}
    compared = Window(won.compared, first_offset=won.first_offset, last_offset=won.offset, profile=lead)
    losses = {"before": won.champion_loss, "after": won.challenger_loss}
    return {"direction": "better", **losses, "current": compared}
