"""What a task's state depends on, as one digest: a snapshot made under another digest cannot be resumed."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from stream.config.budget import divide
from stream.config.model import Config

STATE_SECTIONS: Final = ("events", "labels", "model", "detectors", "adaptation", "scores", "fit")
"""The sections that determine what a task learns and decides, along with the detectors that a budget makes of theirs.
All others may change between two runs.
"""


def state_digest(config: Config, profile: str = "") -> str:
    """SHA-256, in hex, of the sections that determine a task's state, and of the digest of its profile, if it has one.

    The same for the same meaning: defaults count as written out, the order of fields does not matter, nor in which
    terms the false-alarm budget is stated. The order of features does, since learners see them in that order.
    """
    data = config.model_dump(mode="json", include=set(STATE_SECTIONS))
    data["events"]["features"] = list(data["events"]["features"].items())
    data["built"] = [(part.section, part.config.model_dump(mode="json")) for part in divide(config)]
    if profile:
        data["profile"] = profile
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
