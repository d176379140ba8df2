"""Labels and outputs of models that were trained elsewhere, whose classes have names of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from learners.base import LearnerError, Output, Target
from learners.target import BinaryCoder, Coder

_TRUE = (True, "true", "True", "1", "yes")
_FALSE = (False, "false", "False", "0", "no")


class ForeignTruth(BinaryCoder):
    """Labels are bools; the model has two classes that stand for them. The output is the probability of true."""

    def __init__(self, true: Any, false: Any) -> None:
        self._true = true
        self._false = false

    @classmethod
    def of(cls, classes: Sequence[Any], positive: str | None = None) -> ForeignTruth:
        """The coder for these classes (none: it has not met any yet). Raises LearnerError when it cannot be told which
        of them is true.
        """
        if not classes:
            return cls(True, False)
        # True and 1 are one to Python, and so are False and 0.
        true = [one for one in classes if one in ((positive,) if positive else ()) or one in _TRUE]
        rest = [one for one in classes if one not in true]
        if not true and len(rest) == 1 and rest[0] in _FALSE:
            return cls(True, False)
        if len(true) != 1 or len(rest) > 1:
            listed = ", ".join(repr(one) for one in classes)
            raise LearnerError(
                f"the model tells {listed} apart; expected two classes, of which one is true, 1 or what "
                "model.positive names"
            )
        return cls(true[0], rest[0] if rest else False)

    def encode(self, label: Target) -> Any:
        return self._true if label else self._false

    def decode(self, said: Mapping[Any, float]) -> float:
        return super().decode({True: said.get(self._true, 0.0), False: said.get(self._false, 0.0)})


class ForeignClasses(Coder):
    """Labels are texts; a class of the model is known by its text. Labels of classes beyond `most` are left out, and
    any new one where the model's own are not texts: estimators cannot be relied on to take both.
    """

    def __init__(self, classes: Iterable[Any], most: int) -> None:
        self._own: dict[str, Any] = {str(one): one for one in classes}
        self._most = most if all(isinstance(one, str) for one in self._own.values()) else len(self._own)

    def encode(self, label: Target) -> Any:
        text = str(label)
        if text not in self._own and len(self._own) < self._most:
            self._own[text] = text
        return self._own.get(text)

    def decode(self, said: Mapping[Any, float]) -> Output:
        shares = {text: float(said.get(own, 0.0)) for text, own in self._own.items()}
        total = math.fsum(shares.values())
        if 0.0 < total < math.inf:
            return {text: share / total for text, share in shares.items()}
        return {text: 1.0 / len(shares) for text in shares}
