"""Where the values of a stream stood, from a bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_OLDER: Final = 512
"""Marks kept of the values before the newest marks."""


class Marks(Generic[T]):
    """Remembers the place of every `step`-th value of a stream: of the newest values all these marks, `bound` of them;
    of those before, back to the first, marks that are the further apart the longer the stream.
    """

    def __init__(self, step: int = 32, bound: int = 8192) -> None:
        self.count = 0
        self._step = step
        self._marks: deque[T] = deque(maxlen=bound)
        self._first = 1  # number of the oldest of these; mark m is that of value (m - 1) * step + 1
        self._older: list[T] = []  # marks 1, 1 + apart, 1 + 2 apart, ...
        self._apart = 1

    def note(self, n: int, at: Callable[[int], T]) -> None:
        """`n` more values have come; `at(i)` gives the place of the i-th of them, counted from 0."""
        for index in range(-self.count % self._step, n, self._step):
            if len(self._marks) == self._marks.maxlen:
                self._leave(self._marks[0])
            self._marks.append(at(index))
        self.count += n

    def place(self, position: int) -> T | None:
        """The place of the value at `position` (counted from 1), or of one at most `step` before it; if that is older
        than the newest marks, of one before it by at most a two-hundredth of all that came. None before the first.
        """
        if not self._marks:
            return None
        number = max(1, (position - 1) // self._step + 1)
        if number < self._first:
            return self._older[(number - 1) // self._apart]
        return self._marks[min(number - self._first, len(self._marks) - 1)]

    def _leave(self, mark: T) -> None:
        """The oldest of the newest marks makes room."""
        if (self._first - 1) % self._apart == 0:
            self._older.append(mark)
            if len(self._older) > _OLDER:
                self._older = self._older[::2]
                self._apart *= 2
        self._first += 1
