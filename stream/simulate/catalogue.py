"""The simulators by name."""

from __future__ import annotations

from enum import StrEnum

from stream.simulate.flights import Flights
from stream.simulate.payments import Payments
from stream.simulate.sensor import Sensor
from stream.simulate.source import Source, SourceError


class Kind(StrEnum):
    """What can be simulated."""

    FLIGHTS = "flights"
    PAYMENTS = "payments"
    SENSOR = "sensor"


def make_source(kind: Kind, seed: int = 1, imbalance: int | None = None) -> Source:
    """The source of this kind. `seed` means nothing to flights, which are recorded; `imbalance` is for payments only.

    Raises `SourceError`.
    """
    if imbalance is not None and kind is not Kind.PAYMENTS:
        raise SourceError(f"imbalance is for payments; {kind.value} has none", cure="Leave --imbalance out.")
    if kind is Kind.FLIGHTS:
        return Flights()
    if kind is Kind.SENSOR:
        return Sensor(seed)
    return Payments(seed) if imbalance is None else Payments(seed, imbalance)
