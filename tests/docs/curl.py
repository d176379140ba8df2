"""What the pages use of curl, for machines without it: prints what is at an address, whatever the status."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    """`curl [-s] [-H HEADER] [-d BODY] HOST:PORT/PATH`; a body that begins with @ is that of a file."""
    options = argparse.ArgumentParser()
    options.add_argument("-s", action="store_true")
    options.add_argument("-H", dest="headers", action="append", default=[])
    options.add_argument("-d", dest="body", type=body)
    options.add_argument("address")
    asked = options.parse_args()
    headers = dict(header.split(": ", 1) for header in asked.headers)
    request = urllib.request.Request(f"http://{asked.address}", asked.body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            sys.stdout.write(error.read().decode())


def body(given: str) -> bytes:
    """What is sent: the text itself, or what is in the file that it names."""
    return Path(given[1:]).read_bytes() if given.startswith("@") else given.encode()


if __name__ == "__main__":
    main()
