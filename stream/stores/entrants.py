"""Keeps a worker up with the versions that were entered as challengers, each fetched and verified once."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from learners.artifacts import Incompatible, Untrusted
from stream.log import masked
from stream.stores.base import Entered, Entrant, UnknownVersion
from stream.stores.registry import ModelStore
from stream.telemetry import Telemetry

log = structlog.get_logger()


class Field(NamedTuple):
    """The versions that are entered, and those of them that can compete: what is refused, or not there, can't."""

    entered: frozenset[int]
    entrants: dict[int, Entrant]


class Entrants:
    """The challengers of one model. One thread looks; any other may ask for the `field`."""

    def __init__(self, store: ModelStore, name: str, telemetry: Telemetry | None) -> None:
        self._store = store
        self._name = name
        self._telemetry = telemetry
        self._settled: tuple[Entered, ...] = ()
        self._complaints: set[Entered] = set()
        self.field: Field | None = None
        """None before the first look."""

    def look(self) -> None:
        """Ask who is entered, and load those that are new. Raises StoreError."""
        entered = self._store.challengers.now(self._name)
        if self.field is not None and entered == self._settled:
            return
        known = {} if self.field is None else self.field.entrants
        entrants = {}
        missing = False
        for one in entered:
            before = known.get(one.version)
            try:
                found = before if before and before.entered == one else self._store.load_challenger(self._name, one)
            except (Untrusted, Incompatible) as error:
                self._complain("challenger_refused", one, error)
            except UnknownVersion as error:  # looked for again: it may be restored
                self._complain("challenger_missing", one, error)
                missing = True
            else:
                entrants[one.version] = found
        self._complaints.intersection_update(entered)
        self._settled = () if missing else entered
        self.field = Field(frozenset(one.version for one in entered), entrants)

    def _complain(self, event: str, entered: Entered, error: Exception) -> None:
        """Say once what is wrong with a challenger."""
        if entered in self._complaints:
            return
        self._complaints.add(entered)
        log.error(event, model=self._name, version=entered.version, who=entered.who, error=masked(str(error)))
        if self._telemetry is not None:
            self._telemetry.add_refused_model()
