"""What a pickle needs to be opened."""

from __future__ import annotations

import io
import pickle
from typing import Any


def modules_named_in(data: bytes, own: str = "detectors.") -> set[str]:
    """Modules, other than those of our `own` package, that a pickle takes its classes from."""
    names: set[str] = set()

    class Spy(pickle._Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            names.add(module)
            return super().find_class(module, name)

    Spy(io.BytesIO(data)).load()
    return {name for name in names if not name.startswith(own)}
