"""Who asks for something over HTTP."""

from __future__ import annotations

from typing import NamedTuple

from stream.audit import Author
from stream.config.web import Role


class Caller(NamedTuple):
    """Who it is, what they may do, and from where they ask.

    `name` is that of their token, or of themselves as their identity provider has it; `ip` the address at the other end
    of the connection, which may be a proxy's; `loopback` whether this process listens on a loopback address.
    """

    name: str
    role: Role
    ip: str
    loopback: bool

    @property
    def author(self) -> Author:
        """The caller, as the audit knows who changes something."""
        return Author(self.name, self.role.value, self.ip)
