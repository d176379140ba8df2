"""What is started on entering a `with` block and closed on leaving it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Started(ABC):
    """Something that runs between `start` and `close`, and as long as the block that it heads."""

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until it answers. After an error nothing is left running."""

    @abstractmethod
    def close(self) -> None:
        """Stop, and remove what is temporary."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
