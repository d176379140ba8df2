"""RDDM: DDM that forgets the far past, so that it is as quick after a long stable stretch as after a short one.

Source: Barros, Cabral, Gonçalves and Santos, "RDDM: Reactive drift detection method", Expert Systems with Applications
90 (2017).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Literal, Self

from pydantic import Field, model_validator

from detectors.base import ConceptDetector, Reading, State
from detectors.calibration.errors import ByRate, place_of, rddm_level
from detectors.concept.calibrated import WARNING, CalibratedConfig
from detectors.concept.levels import Levels, LevelsConfig
from detectors.concept.lowest import LowestRate


class RddmConfig(CalibratedConfig, LevelsConfig):
    """Detects a rise of an error rate, sudden or gradual, after a stable stretch of any length.

    The paper's levels are 1.773 and 2.258; the ones here give far fewer false alarms at a steady error rate.
    """

    kind: Literal["rddm"] = "rddm"
    longest: int = Field(
        40_000, ge=200, le=1_000_000, description="errors after which, unless it warns, it goes back to the newest ones"
    )
    newest: int = Field(7_000, ge=100, le=100_000, description="errors it then goes on from, kept for that")
    warning_limit: int = Field(1_400, ge=30, description="errors in a row for which it can warn before it alarms")

    @model_validator(mode="after")
    def _is_rare(self) -> Self:
        """In less than some cycles it would be DDM, which has no run length."""
        least = 10 * (self.longest - self.newest)
        if self.run_length is not None and self.run_length < least:
            raise ValueError(
                f"run_length: got {self.run_length:,.0f}; with longest={self.longest} and newest={self.newest} "
                f"expected at least {least:,}, as false alarms come when it goes back to the newest errors. Lower "
                "longest or raise run_length"
            )
        return self

    @model_validator(mode="after")
    def _can_go_back(self) -> Self:
        if self.newest > self.longest // 2:
            raise ValueError(
                f"newest: got {self.newest}; expected at most half of longest={self.longest}, as it would go back too "
                "often. Lower newest or raise longest"
            )
        if self.newest <= self.warmup:
            raise ValueError(
                f"newest: got {self.newest}; expected more than warmup={self.warmup}, or it would have to begin anew "
                "whenever it goes back. Raise newest or lower warmup"
            )
        if self.warning_limit > self.newest:
            raise ValueError(
                f"warning_limit: got {self.warning_limit}; expected at most newest={self.newest}, as an alarm makes "
                "it go on from the errors since the warning. Lower warning_limit or raise newest"
            )
        return self


class Rddm(ConceptDetector[RddmConfig]):
    """O(1) time per error in [0, 1], on average, and memory for `newest` of them; of fractions, see
    `LowestRate`.

    It is DDM with three changes. After `longest` errors it forgets all but the `newest`. A warning that lasts for
    `warning_limit` errors is an alarm (`threshold` is the warning level then, and `detail` says so). After an alarm it
    goes on from the errors since the warning, which are of the new level. In the paper the lowest point outlives the
    forgetting; here it is looked for anew among the errors kept, as one of many more errors has a smaller spread,
    against which forgetting alone would be an alarm.

    `statistic` is the height above the lowest point in its standard deviations, `before` the rate up to that point,
    `after` the rate since.
    """

    bounded = True

    def __init__(self, config: RddmConfig) -> None:
        self._levels = config.levels
        self._by_rate: tuple[ByRate, ByRate] | None = None  # of drift and warning
        if config.run_length is not None:
            sizes = config.warmup, config.longest, config.newest
            # A warning that lasts is an alarm: it is for the run length, and alarms at once are rarer.
            self._by_rate = rddm_level(config.run_length * WARNING, *sizes), rddm_level(config.run_length, *sizes)
        super().__init__(config)

    def _forget(self) -> None:
        self._rate = LowestRate()
        self._kept: deque[float] = deque(maxlen=self.config.newest)
        self._warned = 0  # errors in a row that found it warning

    def _update(self, error: float) -> State:
        config = self.config
        self._n += 1
        self._kept.append(error)
        if self._by_rate is not None:
            (n, total), (drift, warning) = self._rate.seen, self._by_rate
            place = place_of(total, n)
            self._levels = Levels(config.warmup, drift.at(place), warning.at(place))
        state = self._rate.add(error, self._levels)
        if state is State.DRIFT:
            return self._alarm(self._describe(state), from_warning=self._warned + 1)
        if state is State.WARNING:
            self._warned += 1
            if self._warned < config.warning_limit:
                return state
            detail = f"a warning for {self._warned} errors in a row"
            lasting = self._rate.reading(State.DRIFT, self._levels.warning)._replace(detail=detail)
            return self._alarm(lasting, from_warning=1)
        self._warned = 0
        if self._n >= config.longest:
            self._n = len(self._kept)
            self._go_on_from(self._kept)
        return state

    def _alarm(self, change: Reading, from_warning: int) -> State:
        """Conclude, and go on from as many of the newest errors."""
        newest = list(islice(self._kept, max(0, len(self._kept) - from_warning), None))
        state = self._conclude(change)
        self._kept.extend(newest)
        self._go_on_from(newest)
        return state

    def _go_on_from(self, errors: Iterable[float]) -> None:
        self._rate = LowestRate()
        for error in errors:
            self._rate.add(error, self._levels)

    def _describe(self, state: State) -> Reading:
        return self._rate.reading(state, self._levels.drift)
