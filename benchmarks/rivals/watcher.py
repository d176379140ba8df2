"""Drift detectors of another library, in that library's own environment: values come in, positions of alarms go out.

    python benchmarks/rivals/watcher.py frouros

`benchmarks/detectors.py` starts it and speaks to it by its standard input and output. A line of JSON asks for new
detectors, {"kind": "ADWIN", "features": 1}, or announces values, {"events": 500}, that follow as floats of 8 bytes,
feature by feature. The answer to values is a line with the seconds that the detectors took and the positions of alarms.

After an alarm a detector is reset, where it does not reset itself. Those that compare with a reference learn a new one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

REFERENCE, WINDOW, ALPHA = 1000, 500, 0.01

Observe: TypeAlias = Callable[[float], bool]
"""Takes a value, and says whether it is an alarm."""


def frouros(kind: str) -> Observe:
    """One of Frouros' detectors, with its defaults; it needs a reset after an alarm."""
    if kind == "IncrementalKSTest":
        return frouros_ks()
    from frouros.detectors import concept_drift

    detector = getattr(concept_drift, kind)()

    def observe(value: float) -> bool:
        detector.update(value=value)
        alarm = bool(detector.drift)
        if alarm:
            detector.reset()
        return alarm

    return observe


def frouros_ks() -> Observe:
    """Its test at every value, at the alpha of its examples: it has no default."""
    from frouros.detectors.data_drift import IncrementalKSTest

    detector = IncrementalKSTest(window_size=WINDOW)
    reference: list[float] = []

    def observe(value: float) -> bool:
        if len(reference) < REFERENCE:
            reference.append(value)
            if len(reference) == REFERENCE:
                detector.reset()
                detector.fit(X=np.array(reference))
            return False
        test, _ = detector.update(value=value)
        alarm = test is not None and test.p_value <= ALPHA
        if alarm:
            reference.clear()
        return alarm

    return observe


def capymoa(kind: str) -> Observe:
    """One of CapyMOA's detectors, with its defaults; those of MOA reset themselves."""
    from capymoa.drift import detectors

    if kind == "KolmogorovSmirnov":
        return capymoa_ks(detectors)
    detector = getattr(detectors, kind)()

    def observe(value: float) -> bool:
        detector.add_element(value)
        if detector.idx >= REFERENCE:  # it keeps every value it was ever given
            detector.data.clear()
        return bool(detector.detected_change())

    return observe


def capymoa_ks(detectors: Any) -> Observe:
    """Its test at every value, at its default alpha of 0.05."""

    def make() -> Any:
        return detectors.KolmogorovSmirnov(window_size=WINDOW, auto_fit_samples=REFERENCE)

    detector = make()

    def observe(value: float) -> bool:
        nonlocal detector
        detector.add_element(np.array([value]))
        alarm = bool(detector.detected_change())
        if alarm:
            detector = make()
        return alarm

    return observe


MAKERS: dict[str, Callable[[str], Observe]] = {"frouros": frouros, "capymoa": capymoa}


def serve(make: Callable[[str], Observe]) -> None:
    """Answer until nothing more comes."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    detectors: list[Observe] = []
    while line := source.readline():
        told = json.loads(line)
        if "kind" in told:
            detectors = [make(told["kind"]) for _ in range(told["features"])]
            continue
        body = source.read(8 * told["events"] * len(detectors))
        columns = np.frombuffer(body, dtype="<f8").reshape(len(detectors), -1).tolist()
        started = time.perf_counter()
        pairs = zip(detectors, columns, strict=True)
        alarms = sorted(index for observe, column in pairs for index, value in enumerate(column) if observe(value))
        answer = {"seconds": time.perf_counter() - started, "alarms": alarms}
        target.write(json.dumps(answer).encode() + b"\n")
        target.flush()


if __name__ == "__main__":
    serve(MAKERS[sys.argv[1]])
