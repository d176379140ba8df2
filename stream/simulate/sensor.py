"""Presses in a factory: how much power will this machine draw?

Each machine reports its sensors every five minutes; the meter's value for that reading comes five to thirty minutes
later. The world changes three times, at known times: an inlet thermometer drifts upwards, is recalibrated (and jumps,
to a new zero), and finally worn bearings make the same load cost more power.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from stream.simulate.source import DAY, Change, Out, Pair, Source, SourceError

START = 1_704_067_200.0  # 2024-01-01T00:00:00Z
_MINUTE = 60.0
_PERIOD = 5 * _MINUTE
_DRIFT, _RECALIBRATED, _WORN = 10 * DAY, 14 * DAY, 21 * DAY
_DRIFT_PER_DAY = 1.5  # degrees Celsius
_NEW_ZERO = -1.5  # degrees Celsius
_WEAR = 1.18
_MODES = ("run", "idle", "clean")
_HOLD = 6  # readings for which a mode lasts on average


class _Machine(NamedTuple):
    name: str
    idle_kw: float
    kw_per_load: float
    phase: float


class Sensor(Source):
    """An endless stream of readings, keyed by machine. Labels are the power drawn, in kW; one in fifty never comes.

    Raises `SourceError` for fewer than 1 or more than 1000 machines.
    """

    changes = (
        Change(START + _DRIFT, "data", "the inlet thermometer starts to drift upwards, 1.5 degrees a day", "inlet_c"),
        Change(START + _RECALIBRATED, "data", "the inlet thermometer is recalibrated to a new zero", "inlet_c"),
        Change(START + _WORN, "concept", "bearings are worn: load costs 18 % more power"),
    )

    def __init__(self, seed: int = 1, machines: int = 8) -> None:
        if not 1 <= machines <= 1000:
            raise SourceError(f"machines is {machines}; expected 1 to 1000")
        self._seed = seed
        self._machines = machines

    def pairs(self) -> Iterator[Pair]:
        rng = Random(f"sensor-{self._seed}")
        machines = [
            _Machine(f"press-{number:02d}", rng.uniform(3, 6), rng.uniform(35, 50), number * _PERIOD / self._machines)
            for number in range(self._machines)
        ]
        modes = [_MODES[0]] * self._machines
        silent = [0] * self._machines  # readings for which the vibration sensor still says nothing
        tick = 0
        while True:
            for number, machine in enumerate(machines):
                if rng.random() < 1 / _HOLD:
                    modes[number] = rng.choices(_MODES, (8, 3, 1))[0]
                if silent[number] == 0 and rng.random() < 0.002:
                    silent[number] = rng.randrange(3, 20)
                yield _pair(rng, tick, machine, modes[number], silent[number] > 0)
                silent[number] = max(0, silent[number] - 1)
            tick += 1


def _pair(rng: Random, tick: int, machine: _Machine, mode: str, no_vibration: bool) -> Pair:
    now = START + tick * _PERIOD + machine.phase
    age = now - START
    ambient = 18.0 - 3.0 * math.cos(2 * math.pi * (age / DAY - 0.17)) + rng.gauss(0, 0.8)
    load = {"run": rng.uniform(0.4, 1.0), "idle": 0.0, "clean": rng.uniform(0.1, 0.25)}[mode]
    rpm = load * 1400 + rng.gauss(0, 15) if load else 0.0
    heater = ambient < 16.0
    wear = _WEAR if age >= _WORN else 1.0
    power = (
        machine.idle_kw
        + machine.kw_per_load * load * wear
        + 0.35 * max(0.0, ambient - 20.0) * load
        + 4.0 * heater
        + rng.gauss(0, 0.8)
    )
    identity = f"{machine.name}-{tick:07d}"
    value: dict[str, Any] = {
        "id": identity,
        "ts": now,
        "machine": machine.name,
        "mode": mode,
        "heater": heater,
        "load": round(load, 3),
        "rpm": round(rpm, 1),
        "inlet_c": None if rng.random() < 0.01 else round(ambient + _error(age), 2),
        "vibration_mm_s": None if no_vibration else round(0.4 + 2.2 * load * wear + abs(rng.gauss(0, 0.15)), 3),
    }
    key = machine.name.encode()
    event = Out("events", now, key, value)
    known = round(now + rng.uniform(5, 30) * _MINUTE, 3)
    if rng.random() < 0.02:
        return Pair(event, None)
    return Pair(event, Out("labels", known, key, {"id": identity, "label": round(power, 3), "ts": known}))


def _error(age: float) -> float:
    """By how much the inlet thermometer is wrong, in degrees."""
    if age >= _RECALIBRATED:
        return _NEW_ZERO
    return max(0.0, age - _DRIFT) / DAY * _DRIFT_PER_DAY
