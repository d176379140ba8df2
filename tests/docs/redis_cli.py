"""What the pages use of redis-cli, for machines without it: sends one command and prints the answer."""

from __future__ import annotations

import os
import sys
from typing import Any

import redis


def main() -> None:
    """`redis-cli COMMAND ARGUMENT...`, as the administrator of the server that the tests have."""
    with redis.Redis.from_url(os.environ["DOCS_REDIS_URL"], decode_responses=True) as client:
        _show(client.execute_command(*sys.argv[1:]))


def _show(answer: Any) -> None:
    """Print an answer as redis-cli does into a pipe: each element on a line of its own."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            sys.stdout.write(f"{name}\n{value}\n")
    else:
        sys.stdout.write(f"{'OK' if answer is True else answer}\n")


if __name__ == "__main__":
    main()
