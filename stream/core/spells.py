"""Conditions that last: each is told once when it begins and once when it is over."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import structs

from stream.core.alerts import AlertMaker, id_of
from stream.records import Alert, AlertState

OPEN: Final = "open"


class _Told(NamedTuple):
    name: str
    state: AlertState
    at: tuple[int, float]
    known: dict[str, Any]


class Spells:
    """The conditions of one kind of alert that were found and are not over, by name. What is to be told of them waits
    until it is asked for: an alert comes after what is put out of the record that it is about.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._open: set[str] = set()
        self._waiting: list[_Told] = []
        self._told: dict[str, Alert] = {}  # the alerts with which they began

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, name: str, at: tuple[int, float], **known: Any) -> None:
        """This condition is there, as was found at an offset and time. `known` are fields of the alert."""
        self._open.add(name)
        self._waiting.append(_Told(name, OPEN, at, known))

    def end(self, name: str, state: AlertState, at: tuple[int, float], **known: Any) -> None:
        """It is over. `known` are fields of the alert that says so."""
        self._open.remove(name)
        self._waiting.append(_Told(name, state, at, known))

    def told(self, maker: AlertMaker, version: int) -> list[Alert]:
        """The alerts on what was found, which are told with this."""
        due, self._waiting = self._waiting, []
        return [self._tell(one, maker, version) for one in due]

    def _tell(self, one: _Told, maker: AlertMaker, version: int) -> Alert:
        action = "promotions_held" if one.state == OPEN and self._kind == "label_starvation" else "none"
        alert = maker.make(self._kind, version, one.at, action, **one.known)
        if one.state == OPEN:
            self._told[one.name] = alert = structs.replace(alert, state=OPEN, incident=alert.id)
            return alert
        begun = self._told.pop(one.name)
        return structs.replace(
            alert,
            id=id_of(begun.id, one.state),
            severity="info",
            state=one.state,
            incident=begun.id,
            since=begun.ts,
            duration=one.at[1] - begun.ts,
        )
