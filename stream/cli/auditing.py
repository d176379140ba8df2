"""Changes by a command are in the audit as those by the page and the API are: no audit, no change, unless the one who
makes it says that it cannot wait (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from stream.cli.versions import who
from stream.errors import BrokerError

if TYPE_CHECKING:
    from stream.config.model import Config

T = TypeVar("T")

Audited = Annotated[
    bool,
    typer.Option(
        "--audit/--no-audit",
        help="Write to the audit who changed what. --no-audit is for when Kafka is away and the change cannot wait.",
    ),
]


class ByHand:
    """Makes the changes of a command, with their records in the audit; or, without `audit`, loudly without."""

    def __init__(self, config: Config, *, audit: bool) -> None:
        self._config = config
        self._audit = audit

    def kept(self, reason: str) -> str:
        """A reason as it is kept with what is changed: there it is seen that no audit tells of it."""
        return reason if self._audit else f"{reason} (not audited)" if reason else "not audited"

    def make(
        self,
        action: str,
        target: str,
        make: Callable[[], T],
        after: Callable[[T], Any],
        *,
        before: Any = None,
        reason: str = "",
    ) -> T:
        """Make a change. `action`, `target`, `before` and `reason` are as in `AuditEntry`; `after` says of what `make`
        returned how things are now.

        Raises what `make` raises, and BrokerError when the change could not be announced: then it was not made.
        """
        if not self._audit:
            made = make()
            Console(stderr=True, highlight=False, soft_wrap=True).print(
                f"NOT AUDITED: {action}, {target}, by {who()}. Tell those who keep the audit.", style="bold red"
            )
            return made
        from stream import log
        from stream.audit import Author, Change, TopicTrail, audited

        log.configure(None, "error")
        trail = TopicTrail(self._config)
        try:
            author = Author(who(), via="command line")
            return audited(trail, Change(author, action, target, before, reason), make, after)[0]
        except BrokerError as error:
            cannot_wait = "If it cannot wait, add --no-audit: it is then told by the log and by what is changed only."
            raise BrokerError(error.message, "\n  ".join(filter(None, (error.cure, cannot_wait)))) from error
        finally:
            trail.close()
