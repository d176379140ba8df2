"""A server of the page's files and of canned answers of the API, with a live stream that moves.

    python -m tests.web.fixture --port 8099 --features 100 --partitions 50

serves it for looking at. Tests start it with a role, raise alerts, cut the stream, and read what the page posted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import stream.web
from tests.web import week, week_alerts
from tests.web.week import Json

STATIC: Final = Path(stream.web.__file__).with_name("static")
CSP: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'"
)
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ROLES: Final = ("viewer", "operator", "admin")
_HEARD: Final[Json] = {"cursor": None, "heard": week.END + week.AHEAD, "trouble": None}
_STEP: Final = 30.0
"""Seconds of stream time per point of the live stream."""


class Fixture:
    """The service that the page believes to look at."""

    def __init__(
        self,
        *,
        features: int = 12,
        partitions: int = 4,
        role: str | None = "operator",
        tick: float = 1.0,
        port: int = 0,
    ) -> None:
        self.features = week.feature_names(features)
        self.partitions = partitions
        self.role = role
        """What whoever has no token may do; None: nothing."""
        self.tokens = {"letmein": "admin"}
        self.tick = tick
        """Seconds from one point of the live stream to the next."""
        self.readings: dict[str, list[Json]] = {}
        """What the detectors of a feature say, where that is not what the week has for it."""
        self.alerts = [dict(one) for one in week_alerts.ALERTS]
        self.trouble: str | None = None
        """Why there may be newer alerts than those that are told."""
        self.paused: Json | None = None
        self.champion = 4
        self.down = False
        self.away: set[str] = set()
        """Addresses that are answered as while Redis is away."""
        self.why_away = "Redis at 10.0.0.5:6379 gave no answer in time."
        self.broken: set[str] = set()
        """Addresses whose answers break off."""
        self.told: dict[str, Json] = {}
        """By address, what of its answer is another one."""
        self.states: str | None = None
        """The state of all detectors, where that is not what the week has for each."""
        self.posts: list[tuple[str, Json]] = []
        self.requests: list[str] = []
        self.points = 0
        self._epoch = 0
        self._news: list[tuple[str, Json]] = []
        self._change = threading.Condition()
        self._closed = threading.Event()
        self._audit = week_alerts.audit()
        fixture = self

        class Handler(_Handler):
            owner = fixture

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._server.serve_forever, self._run)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed.set()
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    @property
    def now(self) -> float:
        """Stream time of the newest point."""
        return week.END + self.points * _STEP

    def tell(self, event: str, data: Json) -> None:
        """Send something on the live stream."""
        with self._change:
            self._news.append((event, data))
            self._change.notify_all()

    def raise_alert(self) -> Json:
        """A new alert, in the list and on the live stream."""
        new = week_alerts.NEW | {"ts": self.now}
        self.alerts.insert(0, new)
        self.tell("alert", new)
        return new

    def cut(self) -> None:
        """Close all live streams."""
        with self._change:
            self._epoch += 1
            self._change.notify_all()

    def audited(self, action: str, target: str, reason: str | None) -> Json:
        entry = {
            "id": f"au{len(self._audit) + 1}", "ts": self.now, "who": "you", "role": "operator", "ip": "127.0.0.1",
            "action": action, "target": target, "before": None, "after": None, "outcome": "done",
            "reason": reason or "",
        }  # fmt: skip
        self._audit.insert(0, entry)
        self.tell("audit", entry)
        return entry

    # what the live stream takes

    def wait(self, seen: int, epoch: int, seconds: float) -> tuple[list[tuple[str, Json]], bool]:
        """What was told since `seen` things were, and whether the stream goes on."""
        with self._change:
            self._change.wait_for(lambda: len(self._news) > seen or self._epoch != epoch, seconds)
            return self._news[seen:], self._epoch == epoch

    def position(self) -> tuple[int, int]:
        with self._change:
            return len(self._news), self._epoch

    def _run(self) -> None:
        while not self._closed.wait(self.tick):
            self.points += 1
            self.tell("point", self.point())

    def point(self) -> Json:
        t = self.now
        drift = {f"{week.detector(name)}/{name}": week.ratio(name, t) for name in self.features}
        drift["adwin/"] = week.error_ratio(t)
        known = {source: told for source, told in week.scores(t).items() if told["log_loss"] is not None}
        values = week.column(t) | {"scores": known}
        return {"time": t, "at": t + week.AHEAD, "values": values, "drift": drift}

    # answers

    def get(self, path: str, query: dict[str, str], role: str) -> Json | None:
        """The answer to a GET request; None: there is no such thing."""
        answers: dict[str, Callable[[], Json]] = {
            "/v1/me": lambda: {"name": "you", "role": role, "loopback": True},
            "/v1/overview": self._overview,
            "/v1/series": lambda: self._series(query),
            "/v1/drift": lambda: self._drift(query),
            "/v1/alerts": lambda: {"alerts": self.alerts} | _HEARD | {"trouble": self.trouble},
            "/v1/models": lambda: {"models": self._models()},
            "/v1/labels": lambda: week_alerts.labels(self.partitions),
            "/v1/quality": week_alerts.quality,
            "/v1/workers": lambda: week_alerts.workers(self.partitions),
            "/v1/audit": lambda: {"entries": self._audit} | _HEARD,
        }
        if path in answers:
            return answers[path]() | self.told.get(path, {})
        name = unquote(path.removeprefix("/v1/features/"))
        if name in self.features:
            found = week_alerts.feature(name, self.features.index(name), self.now)
            return found | {"watched_by": self.readings.get(name, found["watched_by"])} | self.told.get(path, {})
        return None

    def post(self, path: str, body: Json) -> Json:
        """Do as a POST request says."""
        self.posts.append((path, body))
        parts = path.removeprefix("/v1/").split("/")
        reason = body.get("reason") or body.get("note")
        entry = self.audited(parts[-1], "/".join(parts[:-1]) or "service", reason)
        if parts[0] == "alerts":
            found = next(one for one in self.alerts if one["id"] == parts[1])
            taken_back = parts[2] == "unacknowledge"
            found["acknowledged"] = None if taken_back else {"who": "you", "when": self.now, "note": reason}
            self.tell("alert", found)
        elif parts[0] in ("pause", "resume"):
            paused = {"who": "you", "when": self.now, "reason": reason}
            self.paused = paused if parts[0] == "pause" else None
            self.tell("control", {"paused": self.paused})
        else:
            self.champion = int(parts[1]) if parts[-1] == "promote" else body.get("to") or 2
            self.tell("champion", {"version": self.champion})
        return {"version": self.champion, "epoch": 7, "audit": entry["id"]}

    def _models(self) -> list[Json]:
        return [
            one | ({"status": "champion"} if one["version"] == self.champion else
                   {"status": "kept"} if one["status"] == "champion" else {})
            for one in week_alerts.models()
        ]  # fmt: skip

    def _overview(self) -> Json:
        now, scores = self.now, week.scores(self.now)
        column = week.column(now)
        served = next(one for one in self._models() if one["version"] == self.champion)
        return {
            "app": "payments", "model": "card-fraud", "problem": "binary", "now": now + week.AHEAD, "stream_time": now,
            "paused": self.paused, "partitions": list(range(self.partitions)),
            "champion": {"version": served["version"], "recipe": served["recipe"], "stage": "champion",
                         "digest": served["digest"], "reason": served["reason"], "since": served["created"],
                         "who": served["who"]},
            "mixed_versions": False, "policy": "replace_when_better",
            "counts": {
                "events": {"predicted": 86_104_221 + 4_000 * self.points, "duplicate": 3_120, "dead_lettered": 12_077},
                "labels": {"joined": 71_402_118, "late": 402_000, "expired": 96_120},
            },
            "rates": {key: column[key] for key in ("events_per_second", "labels_per_second")},
            "lag": {"events": column["lag_events"], "labels": column["lag_labels"]},
            "latency_ms": {"p50": column["latency_p50_ms"], "p99": column["latency_p99_ms"]},
            "scores": scores, "labelled": 71_402_118, "metric": "log_loss", "higher_is_better": False,
            "challengers": [
                {"number": 4, "version": None, "recipe": "logistic", "origin": "fresh", "stage": "candidate",
                 "labels": 2_850, "evidence": 4.2, "needed": 100.0, "loss": 0.2291, "champion_loss": 0.2287,
                 "partition": 1}
            ],
            "open_drifts": {"data_drift": 1},
            "open_alerts": sum(one["state"] != "closed" for one in self.alerts),
            "health": {"state": "ok", "parts": {"kafka": {"state": "ok"}, "redis": {"state": "ok"}}},
        }  # fmt: skip

    def _times(self, query: dict[str, str], default: int) -> list[float]:
        n = int(query.get("points", default))
        since = max(week.START, float(query.get("since", 0)) - week.AHEAD)
        step = (self.now - since) / (n - 1)
        return [round(since + i * step, 1) for i in range(n)]

    def _series(self, query: dict[str, str]) -> Json:
        times = self._times(query, 300)
        columns = [week.column(t) for t in times]
        told: Json = {key: [column[key] for column in columns] for key in columns[0]}
        by_time = [week.scores(t) for t in times]
        told["scores"] = {
            source: {metric: [one[source][metric] for one in by_time] for metric in by_time[0][source]}
            for source in week.SOURCES
        }
        return told | {"time": times, "at": [t + week.AHEAD for t in times], "marks": week_alerts.marks(self.alerts)}

    def _drift(self, query: dict[str, str]) -> Json:
        times = self._times(query, 120)
        rows = week.rows(self.features, times)
        if self.states is not None:
            rows = [row | {"state": self.states} for row in rows]
        return {"time": times, "at": [t + week.AHEAD for t in times], "rows": rows}


class _Handler(BaseHTTPRequestHandler):
    owner: Fixture

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.owner.requests.append(self.path)
        if not url.path.startswith("/v1/"):
            self._file(url.path)
            return
        if self.owner.down:
            self._problem(503, "Service Unavailable", "The service is away.")
            return
        if url.path in self.owner.away:
            self._problem(503, "Service Unavailable", self.owner.why_away)
            return
        role = self._role()
        if role is None:
            self._problem(401, "Unauthorized", "A token is needed, or this one is not known.")
        elif url.path == "/v1/live":
            self._live()
        else:
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            found = self.owner.get(url.path, query, role)
            if found is None:
                self._problem(404, "Not Found", f"There is no {url.path}.")
            else:
                self._json(found, length=10 if url.path in self.owner.broken else None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        role = self._role()
        if role is None or _ROLES.index(role) < _ROLES.index("operator"):
            self._problem(403, "Forbidden", "The role operator is needed.")
        elif self.headers.get("Content-Type") != "application/json":
            self._problem(415, "Unsupported Media Type", "Content-Type must be application/json.")
        else:
            self._json(self.owner.post(urlsplit(self.path).path, body))

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""

    def _role(self) -> str | None:
        given = self.headers.get("Authorization")
        return self.owner.tokens.get(given.removeprefix("Bearer ")) if given else self.owner.role

    def _file(self, path: str) -> None:
        if path == "/":
            path = "/static/index.html"
        if path == "/static/vendor/plotly.min.js":
            spec = importlib.util.find_spec("plotly")
            assert spec is not None
            assert spec.origin is not None
            file = Path(spec.origin).with_name("package_data") / "plotly.min.js"
        else:
            file = STATIC / path.removeprefix("/static/")
        if not path.startswith("/static/") or not file.is_file():
            self._problem(404, "Not Found", f"There is no {path}.")
            return
        self._send(200, _TYPES[file.suffix], file.read_bytes())

    def _json(self, data: Json, length: int | None = None) -> None:
        self._send(200, "application/json", json.dumps(data, allow_nan=False).encode(), length)

    def _problem(self, status: int, title: str, detail: str) -> None:
        data = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        self._send(status, "application/problem+json", json.dumps(data).encode())

    def _send(self, status: int, kind: str, body: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": CSP,
            "Cache-Control": "max-age=3600" if "vendor" in self.path else "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])

    def _live(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        seen, epoch = self.owner.position()
        going = True
        try:
            self.wfile.write(b": hello\n\n")
            while going:
                news, going = self.owner.wait(seen, epoch, 15)
                seen += len(news)
                for event, data in news:
                    self.wfile.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            pass  # the page went away


def main() -> None:
    parser = argparse.ArgumentParser(description="the page with made-up data")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--role", choices=_ROLES, default="operator")
    asked = parser.parse_args()
    Fixture(features=asked.features, partitions=asked.partitions, role=asked.role, port=asked.port)
    threading.Event().wait()


if __name__ == "__main__":
    main()
