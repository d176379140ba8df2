"""The `driftline` command."""

from __future__ import annotations

import sys

from stream.errors import DriftlineError


def main() -> None:
    """Run the command. A fault that a person can act on is told in one message; Ctrl-C is no fault."""
    try:
        from stream.cli.commands import app  # which takes long enough for a Ctrl-C to come meanwhile

        app()
    except DriftlineError as error:
        sys.stderr.write(f"driftline: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        sys.exit(130)
