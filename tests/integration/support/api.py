"""The API of a running service, as a program calls it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """Status code and body."""

    status: int
    json: Any


class Api:
    """Calls of one service on this machine."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Reply:
        return self._call(urllib.request.Request(self._address + path))

    def post(self, path: str, body: object = None) -> Reply:
        data = json.dumps({} if body is None else body).encode()
        headers = {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self._address + path, data, headers, method="POST"))

    def _call(self, request: urllib.request.Request) -> Reply:
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return Reply(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, json.loads(error.read()))
