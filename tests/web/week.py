"""A made-up week of a service that scores card payments, as the API tells it: the same at every run.

On the fourth day the errors of the champion rise, a challenger learns and is promoted; three hours before the week ends
the amounts grow, which nobody has acknowledged yet.
"""

from __future__ import annotations

import math
import random
import zlib
from typing import Any, Final

Json = dict[str, Any]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
END: Final = 1_781_265_600.0
"""12 June 2026, 12:00 UTC."""
START: Final = END - 7 * DAY
ERRORS_CHANGED: Final = START + 3.6 * DAY
ERRORS_TOLD: Final = ERRORS_CHANGED + 1.1 * HOUR
SWAPPED: Final = ERRORS_TOLD + 5.5 * HOUR
OVER: Final = SWAPPED + 7 * HOUR
AMOUNTS_CHANGED: Final = END - 3.2 * HOUR
AMOUNTS_TOLD: Final = END - 2.6 * HOUR
AHEAD: Final = 7200.0
"""How far the clock is ahead of the stream."""
ROLLED_BACK: Final = START + 1.4 * DAY

FEATURES: Final = (
    "amount", "hour", "country", "merchant_category", "channel", "currency",
    "device_age_days", "attempts_24h", "card_age_months", "distance_km", "basket_size", "velocity_1h",
)  # fmt: skip
CATEGORIES: Final = {
    "country": {"US": 0.41, "GB": 0.17, "DE": 0.12, "FR": 0.1, "NL": 0.07, "ES": 0.05, "IT": 0.04, "other": 0.04},
    "merchant_category": {"groceries": 0.34, "travel": 0.16, "fuel": 0.14, "online": 0.26, "other": 0.1},
    "channel": {"chip": 0.46, "online": 0.33, "contactless": 0.17, "stripe": 0.04},
    "currency": {"USD": 0.45, "EUR": 0.35, "GBP": 0.17, "other": 0.03},
}
SOURCES: Final = ("champion", "challenger 4", "majority")
_CENTRES: Final = {"amount": math.log(32.7), "basket_size": math.log(16)}
_LEVELS: Final = [0.01, *(round(0.05 * i, 2) for i in range(1, 20)), 0.99]


def chance(*key: object) -> float:
    """A number in [0, 1) that depends on nothing but the key."""
    return zlib.crc32("/".join(map(str, key)).encode()) / 2**32


def noise(name: str, t: float, every: float = HOUR) -> float:
    """Smooth noise in about [-1, 1]."""
    at, part = divmod(t / every, 1.0)
    a, b = (2 * chance(name, int(at) + i) - 1 for i in (0, 1))
    return a + (b - a) * (3 - 2 * part) * part**2


def feature_names(n: int) -> list[str]:
    """The twelve, and as many more as it takes."""
    return [*FEATURES, *(f"feature_{i:03}" for i in range(len(FEATURES), n))][:n]


def load(t: float) -> float:
    """Events per second: more by day, less on Saturday and Sunday."""
    hour, day = (t / HOUR) % 24, int(t // DAY + 4) % 7
    return (
        (150 + 90 * math.sin((hour - 8) / 24 * 2 * math.pi))
        * (0.7 if day in (0, 6) else 1)
        * (1 + 0.05 * noise("load", t, 900))
    )


def losses(source: str, t: float) -> float | None:
    """Log loss of a contestant at a time; None while there is no such contestant."""
    wobble = 0.006 * noise(source, t, 2 * HOUR)
    if source == "majority":
        return 0.412 + wobble
    drifted = 0.0 if t < ERRORS_CHANGED else min(1.0, (t - ERRORS_CHANGED) / (2 * HOUR))
    if source == "champion":
        return (0.231 + 0.145 * drifted if t < SWAPPED else 0.226) + wobble
    if ERRORS_TOLD <= t < SWAPPED:
        return 0.222 + 0.2 * math.exp(-(t - ERRORS_TOLD) / (1.2 * HOUR)) + wobble
    if t >= AMOUNTS_TOLD:
        return 0.224 + 0.16 * math.exp(-(t - AMOUNTS_TOLD) / (0.9 * HOUR)) + wobble
    return None


def scores(t: float) -> dict[str, dict[str, float | None]]:
    """All metrics of all sources at a time."""
    told: dict[str, dict[str, float | None]] = {}
    for source in SOURCES:
        loss = losses(source, t)
        told[source] = {
            "log_loss": loss and round(loss, 5),
            "roc_auc": loss and round(1.08 - loss * 0.9 if source != "majority" else 0.5, 5),
            "accuracy": loss and round(0.995 - 0.25 * loss, 5),
            "brier": loss and round(0.3 * loss, 5),
        }
    return told


def column(t: float) -> Json:
    """One column of /v1/series: all partitions together."""
    rate = load(t)
    night = max(0.0, noise("lag", t, 3 * HOUR)) ** 3
    return {
        "events_per_second": round(rate, 2),
        "labels_per_second": round(rate * 0.83 * (1 + 0.1 * noise("labels", t, 1800)), 2),
        "lag_events": int(40 + 2500 * night + 30 * noise("lag2", t, 600)),
        "lag_labels": int(90 + 60 * noise("lag3", t, 600)),
        "latency_p50_ms": round(2.1 + 0.4 * noise("p50", t, 1800), 3),
        "latency_p99_ms": round(9.5 + 4 * abs(noise("p99", t, 1200)) + 6 * night, 3),
        "pending": int(410_000 + 60_000 * noise("pending", t, 5 * HOUR)),
        "held": int(1_200 + 300 * noise("held", t, 5 * HOUR)),
        "join_rate": round(0.83 + 0.02 * noise("join", t, 4 * HOUR), 4),
        "label_delay_p50": round(2_400 + 300 * noise("delay", t, 6 * HOUR), 1),
        "label_delay_p90": round(7_800 + 900 * noise("delay90", t, 6 * HOUR), 1),
        "dead_letters_per_second": round(max(0.0, 0.3 * noise("dead", t, 4 * HOUR)), 3),
        "version": 3 if t < ROLLED_BACK else 2 if t < SWAPPED else 4,
    }


def ratio(feature: str, t: float) -> float | None:
    """Statistic over threshold of a feature's detector, as far up as it is kept."""
    found = _ratio(feature, t)
    return None if found is None else round(min(2.54, max(0.0, found)), 2)


def _ratio(feature: str, t: float) -> float | None:
    if t < START + 2 * HOUR:
        return None
    usual = 0.32 + 0.22 * noise(feature, t, 2.5 * HOUR) + 0.12 * chance(feature)
    if feature == "amount" and t > AMOUNTS_CHANGED:
        return usual + 1.9 * min(1.0, (t - AMOUNTS_CHANGED) / (1.2 * HOUR))
    if feature == "basket_size" and t > AMOUNTS_CHANGED:
        return usual + 0.75 * min(1.0, (t - AMOUNTS_CHANGED) / (2 * HOUR))
    if feature in ("merchant_category", "velocity_1h") and ERRORS_CHANGED < t < OVER:
        return usual + 1.1 * math.sin((t - ERRORS_CHANGED) / (OVER - ERRORS_CHANGED) * math.pi)
    return usual


def detector(feature: str) -> str:
    return "chi_squared" if feature in CATEGORIES else "ks"


def state(over: float | None) -> str:
    if over is None:
        return "warmup"
    return "drift" if over > 1 else "warning" if over > 0.8 else "stable"


def rows(features: list[str], times: list[float]) -> list[Json]:
    """The rows of /v1/drift, the errors first."""
    told = []
    for name in ["", *features]:
        by = detector(name) if name else "adwin"
        ratios = [ratio(name, t) if name else error_ratio(t) for t in times]
        told.append(reading(by, name, ratios[-1]) | {"ratio": ratios})
    return told


def error_ratio(t: float) -> float:
    usual = 0.3 + 0.2 * noise("errors", t, 2 * HOUR)
    if ERRORS_CHANGED < t < SWAPPED:
        usual += 2.4 * min(1.0, (t - ERRORS_CHANGED) / HOUR)
    return round(min(2.54, max(0.0, usual)), 2)


def reading(by: str, feature: str, over: float | None) -> Json:
    limit = {"ks": 0.062, "chi_squared": 34.2, "adwin": 12.0}[by]
    return {
        "detector": by, "feature": feature, "state": state(over), "threshold": limit,
        "statistic": None if over is None else round(over * limit, 5), "ratio": over,
    }  # fmt: skip


def distribution(name: str, current: bool) -> Json:
    """What a feature's values are like: quantiles of a number, shares of a category."""
    if name in CATEGORIES:
        shares = dict(CATEGORIES[name])
        if current:
            shares = {value: share * (0.85 + 0.3 * chance(name, value)) for value, share in shares.items()}
            shares = {value: share / sum(shares.values()) for value, share in shares.items()}
        told = {value: round(share, 4) for value, share in shares.items()}
        return {"kind": "category", "n": 500 if current else 20_000, "shares": told, "missing": 0.002}
    centre, wide = _CENTRES.get(name, 3 + 2 * chance(name)), 0.66
    if current and name in ("amount", "basket_size"):
        centre, wide = centre + (0.45 if name == "amount" else 0.12), 0.85
    normal = random.Random(name)
    draws = sorted(math.exp(centre + wide * normal.gauss(0, 1)) for _ in range(4000))
    quantiles = {f"{level:g}": round(draws[int(level * 3999)], 3) for level in _LEVELS}
    return {"kind": "number", "n": 500 if current else 20_000, "quantiles": quantiles, "missing": 0.011}
