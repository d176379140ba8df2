"""Broker and Redis in a box: real servers on loopback, for the demo, for tests and for `driftline dev up`.

Needs the extra `embedded`. Nothing here is part of a production installation.
"""

from __future__ import annotations

from stream.embedded.box import Box
from stream.embedded.errors import EmbeddedError
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.valkey import EmbeddedValkey

__all__ = ["Box", "EmbeddedError", "EmbeddedKafka", "EmbeddedValkey"]
