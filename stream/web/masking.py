"""The configuration as it may be shown: no password, no token's digest, no address that is a secret by itself."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from stream.config.model import Config
from stream.log import masked

MASK: Final = "***"

_HIDDEN: Final = re.compile(r"sha256|password|passwd|credential", re.IGNORECASE)
_HOOKS: Final = "webhooks"


def without_secrets(config: Config) -> dict[str, Any]:
    """All of it, as JSON has it. Where a secret is kept (the name of a variable, a file) is no secret."""
    shown: dict[str, Any] = _shown("", config.model_dump(mode="json"), hooks=False)
    return shown


def _shown(name: str, value: Any, *, hooks: bool) -> Any:
    if isinstance(value, dict):
        return {key: _shown(key, inner, hooks=hooks or key == _HOOKS) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(name, inner, hooks=hooks) for inner in value]
    if not isinstance(value, str):
        return value
    if _HIDDEN.search(name):
        return MASK
    if hooks and "://" in value:  # whoever knows a webhook's path may post there
        url = urlsplit(value)
        return f"{url.scheme}://{url.hostname}/{MASK}"
    return masked(value)
