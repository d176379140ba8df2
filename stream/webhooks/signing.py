"""Signatures by which a receiver knows that a request is ours, whole, and not an old one sent again."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "Driftline-Signature"


def signature(secret: str, body: bytes, at: int) -> str:
    """The header's value, `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the time, a dot and the body. `at` is in seconds since
    the epoch; a receiver refuses what is older than a few minutes.
    """
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
