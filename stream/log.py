"""Logging for all of Driftline: one structured line per happening, to stderr, for people or for machines.

Every module says `log = structlog.get_logger()`. Lines of the standard library's loggers go the same way. Those of the
Kafka and Redis clients show only at level `debug`: what they repeat at every attempt, the worker says once.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FORMATS: Final = ("console", "json")

_TELLING: Final = ("httpx2", "httpcore2")
"""Libraries that would write every address they post to, which may be a secret, at whatever level."""

_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY_SECRET = re.compile(r"([?&](?:password|token|secret)=)[^&\s'\"]*", re.IGNORECASE)
_SECRET_NAMES = re.compile(r"password|passwd|secret|signing_key|token|credential", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` without the user names and passwords of the addresses in it: `redis://***@host:6379/0`."""
    return _QUERY_SECRET.sub(r"\1***", _USER_INFO.sub("***@", text))


def configure(style: str | None = None, level: str = "info") -> None:
    """Send log lines at `level` and above to stderr: readable ones (`console`) or one JSON object a line (`json`); left
    to itself, readable ones on a terminal and JSON elsewhere, where it is programs that read.

    Times are ISO 8601 in UTC. Secrets in addresses and in fields named like secrets are masked. May be called again.
    Raises ValueError for another format, and for a level that logging does not know.
    """
    if style is None:
        style = "console" if sys.stderr.isatty() else "json"
    if style not in FORMATS:
        raise ValueError(f"log format {style!r} is unknown; expected {' or '.join(FORMATS)}")
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"log level {level!r} is unknown; expected debug, info, warning or error")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    last: list[Processor]
    if style == "json":
        last = [structlog.processors.dict_tracebacks, _mask, structlog.processors.JSONRenderer()]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    quiet = logging.INFO if threshold <= logging.DEBUG else logging.CRITICAL
    for library in ("kafka", "redis"):
        logging.getLogger(library).setLevel(quiet)
    for library in _TELLING:
        logging.getLogger(library).setLevel(logging.WARNING)


def _mask(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Mask what must not be read by those who may read logs."""
    for name, value in event.items():
        event[name] = _without_secrets(name, value)
    return event


def _without_secrets(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return "***" if _SECRET_NAMES.search(name) else masked(value)
    if isinstance(value, dict):
        return {key: _without_secrets(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(name, inner) for inner in value]
    return value
