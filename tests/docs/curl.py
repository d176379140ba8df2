"""What the pages use of curl, for machines without it: prints what is at an address, whatever the status."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request


def main() -> None:
    """`curl [-s] [-H HEADER] [-d BODY] HOST:PORT/PATH`."""
    options = argparse.ArgumentParser()
    options.add_argument("-s", action="store_true")
    options.add_argument("-H", dest="headers", action="append", default=[])
    options.add_argument("-d", dest="body", type=str.encode)
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


if __name__ == "__main__":
    main()
