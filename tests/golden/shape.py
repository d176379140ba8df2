"""What a task's state is made of: the attributes of each class of ours that it holds.

    python -m tests.golden.shape      # after a change that is meant; raise FORMAT in stream/core/state.py too

`shape.txt` holds it as it is in the format that its first line names.
"""

from __future__ import annotations

import io
import pickle
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from stream.core.state import FORMAT, TaskState
from stream.core.unseen import Unseen
from tests.golden.recorder import config

SHAPE: Final = Path(__file__).parent / "shape.txt"
OURS: Final = ("detectors.", "learners.", "stream.core.", "stream.records")


class _Shape(pickle.Pickler):
    """Goes through all that would be saved, and notes what our objects are made of.

    Not configurations: a snapshot of another one is not taken up anyway.
    """

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.found: dict[str, set[str]] = {}

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind.__module__.startswith(OURS) and not isinstance(obj, (BaseModel, Enum)):
            self.found.setdefault(f"{kind.__module__}.{kind.__qualname__}", set()).update(_attributes(obj))
        return NotImplemented


def shape() -> list[str]:
    """A new state's, a line for each class."""
    walk = _Shape()
    walk.dump(TaskState(config()))
    walk.dump(Unseen("yes"))  # which a state holds where labels are texts
    lines = sorted(f"{name}: {', '.join(sorted(attributes))}" for name, attributes in walk.found.items())
    return [f"format {FORMAT}", *lines]


def _attributes(obj: Any) -> set[str]:
    fields = {*getattr(obj, "__struct_fields__", ()), *getattr(obj, "_fields", ())}
    slots = {name for base in type(obj).__mro__ for name in getattr(base, "__slots__", ())}
    return fields | slots | set(getattr(obj, "__dict__", ()))


if __name__ == "__main__":
    SHAPE.write_text("\n".join(shape()) + "\n")
