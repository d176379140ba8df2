"""Card payments with rare fraud: will this payment be charged back?

Fraud is one payment in 500 (configurable). The fraudsters change their tactics three times, at known times: concept
drift. In between, a new market opens: data drift that is no fraud. A chargeback comes 3 to 60 days after the payment,
and a quarter of the victims never notice; four in five genuine payments are confirmed as settled within two weeks, of
the others nobody hears again.

Payments carry what such records carry in life, an e-mail address and a masked card number among them. The shipped
configuration declares neither as a feature, so neither is ever learned from or written anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from stream.simulate.source import DAY, Change, Out, Pair, Source, SourceError

START = 1_704_067_200.0  # 2024-01-01T00:00:00Z
_CARDS = 5000
_FAITHFUL = 0.75  # share of a fraud's traits that follow the tactic; the rest look like anybody's
_NEW_MARKET = 110 * DAY

_CATEGORIES = ("groceries", "restaurants", "fuel", "fashion", "electronics", "travel", "digital", "gift_cards")
_CATEGORY_WEIGHTS = (30, 20, 12, 14, 7, 6, 9, 2)
_COUNTRIES = ("DE", "FR", "GB", "NL", "ES", "IT", "PL", "US", "RO", "VN")
_COUNTRY_WEIGHTS = (24, 18, 17, 9, 9, 9, 6, 5, 2, 1)
_DEVICES = ("ios", "android", "web", "terminal")
_DEVICE_WEIGHTS = (22, 25, 23, 30)
_BRANDS = ("visa", "mastercard", "amex")


class _Tactic(NamedTuple):
    """How a fraudster pays; None where the tactic has no preference."""

    name: str
    amount: tuple[float, float]
    category: str
    device: str
    country: str | None
    payments_24h: int


_TESTING = _Tactic("card testing: many tiny digital purchases", (0.4, 0.4), "digital", "web", "VN", 11)
_TAKEOVER = _Tactic("account takeover: few dear purchases", (6.6, 0.5), "electronics", "android", None, 1)
_GIFT_CARDS = _Tactic("gift cards in round amounts", (4.6, 0.1), "gift_cards", "ios", "US", 3)
_TACTICS = ((0.0, _TESTING), (45 * DAY, _TAKEOVER), (90 * DAY, _GIFT_CARDS), (150 * DAY, _TESTING))


class _Card(NamedTuple):
    country: str
    brand: str
    masked: str
    email: str
    device: str
    log_amount: float
    opened: float


class Payments(Source):
    """An endless stream of payments, keyed by card. One payment in `imbalance` is fraud; `per_day` is their mean rate.

    Labels read `chargeback` or `settled`. Raises `SourceError` for an imbalance outside 2 to 5000 or a rate below 1.
    """

    def __init__(self, seed: int = 1, imbalance: int = 500, per_day: int = 2000) -> None:
        if not 2 <= imbalance <= 5000:
            raise SourceError(f"imbalance is {imbalance}; expected 2 to 5000 payments per fraud")
        if per_day < 1:
            raise SourceError(f"per_day is {per_day}; expected at least 1 payment a day")
        self._seed = seed
        self._imbalance = imbalance
        self._per_day = per_day
        market = Change(START + _NEW_MARKET, "data", "a new market opens: payments from Brazil", "country")
        tactics = (Change(START + after, "concept", tactic.name) for after, tactic in _TACTICS[1:])
        self.changes = tuple(sorted((*tactics, market)))

    def pairs(self) -> Iterator[Pair]:
        rng = Random(f"payments-{self._seed}")
        cards = [_card(rng, number) for number in range(_CARDS)]
        now = START
        number = 0
        while True:
            now = round(now + rng.expovariate(self._rate(now)), 3)
            number += 1
            holder = rng.randrange(_CARDS)
            fraud = rng.random() < 1.0 / self._imbalance
            yield _pair(rng, now, number, holder, cards[holder], fraud)

    def _rate(self, now: float) -> float:
        """Payments per second at an instant: busiest in the evening, quiet at night."""
        day = (now - START) / DAY % 1.0
        return self._per_day / DAY * (1.0 - 0.8 * math.cos(2 * math.pi * (day - 0.12)))


def _pair(rng: Random, now: float, number: int, holder: int, card: _Card, fraud: bool) -> Pair:
    identity = f"pay-{number:09d}"
    payment = _fraudulent(rng, now, card) if fraud else _genuine(rng, now, card)
    key = f"card-{holder:05d}".encode()
    value = {
        "payment": identity,
        "created_ms": round(now * 1000),
        **payment,
        "card": {"brand": card.brand, "country": card.country, "masked": card.masked, "email": card.email},
        "account_age_days": int((now - card.opened) / DAY),
    }
    event = Out("events", now, key, value)
    delay = _chargeback_delay(rng) if fraud else _settlement_delay(rng)
    if delay is None:
        return Pair(event, None)
    known = round(now + delay, 3)
    outcome = "chargeback" if fraud else "settled"
    return Pair(
        event, Out("labels", known, key, {"payment": identity, "outcome": outcome, "decided_ms": round(known * 1000)})
    )


def _genuine(rng: Random, now: float, card: _Card) -> dict[str, Any]:
    brazil = now >= START + _NEW_MARKET and rng.random() < 0.2
    abroad = rng.random() < 0.06
    country = _pick(rng, _COUNTRIES, _COUNTRY_WEIGHTS) if abroad else card.country
    return {
        "amount": _amount(rng, card.log_amount, 0.9),
        "country": "BR" if brazil else country,
        "device": _missing(rng, 0.08, card.device if rng.random() < 0.8 else _pick(rng, _DEVICES, _DEVICE_WEIGHTS)),
        "merchant": {"category": _pick(rng, _CATEGORIES, _CATEGORY_WEIGHTS), "id": f"m{rng.randrange(800):03d}"},
        "payments_24h": min(12, int(rng.expovariate(1.1))),
    }


def _fraudulent(rng: Random, now: float, card: _Card) -> dict[str, Any]:
    tactic = next(tactic for after, tactic in reversed(_TACTICS) if now >= START + after)
    payment = _genuine(rng, now, card)
    if rng.random() < _FAITHFUL:
        payment["amount"] = _amount(rng, *tactic.amount)
    if rng.random() < _FAITHFUL:
        payment["merchant"]["category"] = tactic.category
    if rng.random() < _FAITHFUL:
        payment["device"] = tactic.device
    if rng.random() < _FAITHFUL:
        payment["country"] = tactic.country or card.country
    if rng.random() < _FAITHFUL:
        payment["payments_24h"] = tactic.payments_24h + rng.randrange(3)
    return payment


def _chargeback_delay(rng: Random) -> float | None:
    return None if rng.random() < 0.25 else (3.0 + 57.0 * rng.betavariate(1.2, 3.5)) * DAY


def _settlement_delay(rng: Random) -> float | None:
    return None if rng.random() < 0.2 else rng.uniform(2.0, 14.0) * DAY


def _card(rng: Random, number: int) -> _Card:
    return _Card(
        country=_pick(rng, _COUNTRIES[:8], _COUNTRY_WEIGHTS[:8]),
        brand=rng.choice(_BRANDS),
        masked=f"**** **** **** {rng.randrange(10_000):04d}",
        email=f"holder{number}@example.com",
        device=_pick(rng, _DEVICES, _DEVICE_WEIGHTS),
        log_amount=rng.gauss(3.1, 0.5),
        opened=START - rng.expovariate(1 / 700) * DAY,
    )


def _amount(rng: Random, mean: float, spread: float) -> float:
    """A heavy-tailed amount; `mean` and `spread` are those of its logarithm."""
    return round(math.exp(rng.gauss(mean, spread)), 2)


def _pick(rng: Random, values: tuple[str, ...], weights: tuple[int, ...]) -> str:
    return rng.choices(values, weights)[0]


def _missing(rng: Random, share: float, value: str) -> str | None:
    return None if rng.random() < share else value
