"""Whether the text that means true ever comes among labels: misspelt in the configuration, every label means false.

No more is known of it than that it has not come. Where other texts come, and more than one of them, the true one may
well be among these: that is told after `SEVERAL` labels, among which a class that is one label in a hundred is missing
by chance once in 150 times. Labels that are all of one text say less: that is told after `SOLE`.
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import Final

from stream.schema import folded, quoted

SEVERAL: Final = 500
"""Labels of two texts or more, none of them the one that means true, after which that is told."""

SOLE: Final = 10_000
"""Labels of one and the same text after which that is told."""

MOST: Final = 100
"""Texts that are counted; those that come later are not."""

NAMED: Final = 5
"""Texts that are named at most."""

OFTEN: Final = 20
"""Labels from which on a text is the name of a class, and may be told: what comes seldom may be personal, as where
the field is another one than was meant. One that looks like the text that means true may be told anyway.
"""

_ALIKE: Final = 0.75  # as `difflib` has it: "chargebacks" for "charge-back" is 0.9, "okay" for "ok" is 0.7


class Unseen:
    """The texts of labels, until the one that means true comes. Memory is bounded."""

    def __init__(self, positive: str) -> None:
        self.positive = positive
        self.labels = 0
        self.first: float | None = None
        """Time of the first label."""
        self.seen = False
        self._texts: Counter[str] = Counter()

    def read(self, text: str, time: float) -> None:
        """A label came that was written like this."""
        if self.seen:
            return
        if text == self.positive:
            self.seen = True
            self._texts.clear()
            return
        self.labels += 1
        if self.first is None:
            self.first = time
        if text in self._texts or len(self._texts) < MOST:
            self._texts[text] += 1

    @property
    def is_due(self) -> bool:
        """Whether it is to be told."""
        return not self.seen and self.labels >= (SEVERAL if len(self._texts) > 1 else SOLE)

    @property
    def named(self) -> dict[str, int]:
        """The texts that may be told, with how many labels are of them: those that look like the one that means true,
        then the commonest.
        """
        alike = {text: n for text, n in self._texts.most_common() if self._is_like(text)}
        often = {text: n for text, n in self._texts.most_common() if n >= OFTEN}
        return dict(list((alike | often).items())[:NAMED])

    def told(self) -> str:
        """What came instead, in words."""
        named = [f"{quoted(text)} ({n:,})" for text, n in self.named.items()]
        others = len(self._texts) - len(named)
        if others:
            more = "or more " if len(self._texts) == MOST else ""
            named.append(f"{others} {more}other texts" if others > 1 else "one other text")
        so_far = f"none of the first {self.labels:,} labels is {quoted(self.positive)}, as model.positive has it"
        return f"{so_far}; they are {' and '.join(filter(None, [', '.join(named[:-1]), named[-1]]))}"

    def over(self) -> str:
        """That it is over, in words."""
        return f"labels that are {quoted(self.positive)} come"

    def _is_like(self, text: str) -> bool:
        return SequenceMatcher(None, folded(text), folded(self.positive)).ratio() >= _ALIKE
