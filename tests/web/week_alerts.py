"""The alerts, models and other records of the made-up week."""

from __future__ import annotations

from tests.web.week import (
    AHEAD,
    AMOUNTS_CHANGED,
    AMOUNTS_TOLD,
    DAY,
    END,
    ERRORS_CHANGED,
    ERRORS_TOLD,
    HOUR,
    OVER,
    ROLLED_BACK,
    START,
    SWAPPED,
    Json,
    chance,
    detector,
    distribution,
    ratio,
    reading,
)

_EMPTY: Json = dict.fromkeys((
    "incident", "detector", "feature", "segment", "direction", "before", "after", "effect", "statistic", "threshold",
    "p_value", "expected_events_per_false_alarm", "reference", "current", "since", "duration", "detail", "closed",
    "acknowledged", "change", "change_point",
))  # fmt: skip


def alert(number: int, ts: float, kind: str, severity: str, headline: str, **more: object) -> Json:
    """An alert as /v1/alerts tells it, null where nothing is said."""
    head = {
        "id": f"a{number:03}", "ts": ts, "kind": kind, "severity": severity, "model": "payments", "model_version": 4,
        "partition": 1, "offset": int((ts - START) * 60), "state": "open", "headline": headline, "contributors": [],
        "action": "none", "action_text": "Nothing: this alert only tells.",
    }  # fmt: skip
    return _EMPTY | head | {"at": ts + AHEAD, "later": []} | more


def change(ts: float) -> Json:
    return {"offset": int((ts - START) * 60), "ts": ts}


AMOUNTS = alert(
    7, AMOUNTS_TOLD, "data_drift", "warning",
    "The mean of amount rose from 38.2 to 61.7 since about 08:48; by chance once in 2.4 million events; a challenger "
    "is learning.",
    incident="i7", detector="ks", feature="amount", direction="up", before=38.2, after=61.7, effect=0.31,
    statistic=0.127, threshold=0.062, p_value=2.1e-9, expected_events_per_false_alarm=2_400_000.0,
    change_point=change(AMOUNTS_CHANGED), action="challenger_learning",
    action_text="Challenger 4 is learning beside the champion and takes over only if it proves better.",
    contributors=[
        {"detector": "ks", "feature": "amount", "segment": None, "direction": "up", "over": 2.05, "before": 38.2,
         "after": 61.7, "detail": None},
        {"detector": "ks", "feature": "amount", "segment": "country=US", "direction": "up", "over": 1.8,
         "before": 40.1, "after": 70.3, "detail": None},
        {"detector": "ks", "feature": "basket_size", "segment": None, "direction": "up", "over": 1.12, "before": 18.4,
         "after": 21.9, "detail": None},
    ],
    reference={"n": 20_000, "first_offset": 0, "last_offset": 20_000, "first_ts": START, "last_ts": START + DAY,
               "profile": {"p05": 8.1, "p25": 19.0, "p50": 32.7, "p75": 52.2, "p95": 96.4}},
    current={"n": 500, "first_offset": 600_100, "last_offset": 600_600, "first_ts": AMOUNTS_TOLD - HOUR / 2,
             "last_ts": AMOUNTS_TOLD, "profile": {"p05": 10.3, "p25": 29.9, "p50": 51.1, "p75": 86.0, "p95": 171.2}},
)  # fmt: skip

ERRORS = alert(
    4, ERRORS_TOLD, "concept_drift", "critical",
    "The error rate rose from 11.8 % to 19.4 %, from 9 June 02:24 to 16:00; it is as before.",
    incident="i4", detector="adwin", direction="worse", before=0.118, after=0.194, effect=0.076, statistic=19.1,
    threshold=12.0, p_value=4e-7, expected_events_per_false_alarm=5_000_000.0, partition=0,
    change_point=change(ERRORS_CHANGED), state="closed", closed={"ts": OVER, "how": "recovered"}, model_version=2,
    action="challenger_started", action_text="A challenger learned beside the champion; as version 4 it took over.",
    acknowledged={"who": "maria", "when": ERRORS_TOLD + 900 + AHEAD, "note": "new merchant terminals, expected"},
    contributors=[
        {"detector": "adwin", "feature": None, "segment": None, "direction": "worse", "over": 1.6, "before": 0.118,
         "after": 0.194, "detail": None},
        {"detector": "chi_squared", "feature": "merchant_category", "segment": None, "direction": "up", "over": 1.4,
         "before": 0.16, "after": 0.27, "detail": "travel"},
    ],
)  # fmt: skip

ALERTS: list[Json] = [
    AMOUNTS,
    alert(
        6, END - 9 * HOUR, "label_starvation", "warning",
        "Labels come less often than usual: 61 % of events get one, usually 83 %.",
        incident="i6", detector="label_rate", feature="labels", direction="down", before=0.83, after=0.61,
        statistic=14.2, threshold=11.5, change_point=change(END - 11 * HOUR), state="recovering", partition=2,
        expected_events_per_false_alarm=3_000_000.0, action="promotions_held",
        action_text="Promotions are held until labels come again.",
    ),
    alert(
        5, SWAPPED, "model_swap", "info", "Version 4 took over from version 2: it proved better on 3,950 labels.",
        detail="version 2 to 4: beat_champion", before=0.3712, after=0.2261, state="closed", action="swapped",
        action_text="The champion was replaced by version 4.",
    ),
    ERRORS,
    alert(
        3, ROLLED_BACK, "rollback", "info", "Version 3 was rolled back to version 2 by hand.", model_version=2,
        detail="version 3 to 2: rollback", state="closed",
        action_text="Version 2 serves again.",
    ),
    alert(
        2, START + 0.9 * DAY, "data_quality", "warning",
        "4.1 % of events are rejected, mostly for a wrong type; usually 0.1 %.",
        incident="i2", detector="rejected", feature="events", direction="up", before=0.001, after=0.041,
        detail="wrong_type", state="closed", closed={"ts": START + 1.2 * DAY, "how": "recovered"},
        change_point=change(START + 0.88 * DAY), statistic=31.0, threshold=12.0,
        expected_events_per_false_alarm=10_000_000.0,
    ),
]  # fmt: skip

NEW = alert(
    8, END + 60, "concept_drift", "critical",
    "The error rate rose from 12.0 % to 23.1 % since about 11:50; by chance once in 5.0 million events; a challenger "
    "was started.",
    incident="i8", detector="adwin", direction="worse", before=0.12, after=0.231, statistic=22.0, threshold=12.0,
    p_value=3e-8, expected_events_per_false_alarm=5_000_000.0, change_point=change(END - 600),
    action="challenger_started", action_text="A challenger started to learn beside the champion.",
)  # fmt: skip


def marks(alerts: list[Json]) -> list[Json]:
    """What stands beside the scores on the axis of time."""
    kinds = {"model_swap": "swap", "rollback": "rollback", "label_starvation": "starvation", "data_quality": "quality"}
    told = [
        {"time": one["ts"], "at": one["ts"] + AHEAD, "kind": kinds.get(one["kind"], "drift"), "alert": one["id"],
         "text": one["headline"]}
        for one in alerts
    ]  # fmt: skip
    for one in alerts:
        if closed := one["closed"]:
            text = f"Over: {one['headline']}"
            told.append(
                {
                    "time": closed["ts"],
                    "at": closed["ts"] + AHEAD,
                    "kind": closed["how"],
                    "alert": one["id"],
                    "text": text,
                }
            )
    warned = ERRORS_TOLD - 0.4 * HOUR
    text = "The errors may be rising: ddm warns in partition 1."
    told.append({"time": warned, "at": warned + AHEAD, "kind": "warning", "alert": None, "text": text})
    return sorted(told, key=lambda mark: mark["time"])


def models() -> list[Json]:
    def version(number: int, created: float, status: str, loss: float, reason: str, parents: list[int]) -> Json:
        half = 0.012 + 0.002 * number
        return {
            "version": number, "digest": f"{int(chance('digest', number) * 2**32):08x}" * 8, "recipe": "logistic",
            "parents": parents, "reason": reason, "created": created, "who": "driftline-worker-1",
            "labels": 0 if reason == "first" else 3950,
            "scores": {"log_loss": loss, "accuracy": round(0.99 - loss / 4, 4)},
            "intervals": {"log_loss": [round(loss - half, 4), round(loss + half, 4)]},
            "trained": [119_500 * number, 120_000 * number + 81_000],
            "span": [120_000 * number, 120_000 * number + 81_000], "size_bytes": 41_300 + 900 * number,
            "status": status, "pinned_by": None, "entered_by": None,
            "held_by": ["task 0", "task 1"] if status in ("rollback target", "library") else [],
        }  # fmt: skip

    return [
        version(4, SWAPPED, "champion", 0.2261, "beat_champion", [2]),
        version(3, START + 0.6 * DAY, "kept", 0.2874, "pushed", []),
        version(2, START + 0.1 * DAY, "rollback target", 0.2312, "beat_champion", [1]),
        version(1, START, "library", 0.2933, "first", []),
    ]


def feature(name: str, number: int, at: float) -> Json:
    over, kind = ratio(name, at), "category" if distribution(name, current=False)["kind"] == "category" else "number"
    watched = [reading(detector(name), name, over) | {"segment": None, "partition": 1}]
    if name == "amount":
        watched += [
            reading("ks", name, value) | {"segment": segment, "partition": 0}
            for segment, value in (("country=US", 1.8), ("country=GB", 1.2), ("country=DE", 0.7))
        ]
        watched.append(
            reading("chi_squared", name, 0.2) | {"detector": "missing_rate", "segment": None, "partition": 2}
        )
    empty = number > 60
    return {
        "name": name, "type": kind, "watched_by": watched, "source": "the first 20,000 events of this partition",
        "reference": None if empty else distribution(name, current=False),
        "current": None if empty else distribution(name, current=True),
        "alerts": [
            one["id"] for one in ALERTS if name in (one["feature"], *(part["feature"] for part in one["contributors"]))
        ],
    }  # fmt: skip


def labels(partitions: int) -> Json:
    return {
        "join_rate": 0.834, "delay": {"p50": 2_410.0, "p90": 7_820.0, "p99": 41_000.0}, "pending": 412_330,
        "held": 1_204, "expired": 96_120, "joined": 71_402_118, "starved": False, "vanished": [],
        "per_partition": [
            {"partition": i, "join_rate": round(0.8 + 0.06 * chance("join", i), 3), "pending": 410_000 // partitions,
             "held": 3, "expired": 96_120 // partitions, "joined": 7_000_000, "starved": i == 2, "vanished": [],
             "delay": {"p50": 2_300.0 + 40 * i, "p90": 7_800.0, "p99": 41_000.0}}
            for i in range(partitions)
        ],
    }  # fmt: skip


def quality() -> Json:
    samples = [
        {"ts": END + AHEAD - 400 * i, "topic": "payments.events", "partition": i % 4, "offset": 900_000 - 77 * i,
         "reason": reason, "message": message, "value": value}
        for i, (reason, message, value) in enumerate([
            ("wrong_type", "feature 'amount' is \"n/a\"; expected a number",
             '{"id": "text(12)", "amount": "text(3)", "country": "text(2)"}'),
            ("wrong_type", "feature 'hour' is true; expected a number",
             '{"id": "text(12)", "amount": number, "hour": true}'),
            ("not_json", "the value is not JSON: it ends at byte 311", "bytes(311)"),
            ("missing_id", "there is no 'id'", '{"amount": number, "country": "text(2)"}'),
        ])
    ]  # fmt: skip
    return {
        "dead_letters": {
            "total": 12_077, "since": START, "heard": END + AHEAD, "trouble": None,
            "by_reason": {"wrong_type": 11_640, "not_json": 310, "missing_id": 127},
            "samples": samples,
        },
        "rejected": {"events": {"share": 0.0012, "state": "stable"}, "labels": {"share": 0.0, "state": "stable"}},
    }  # fmt: skip


def workers(partitions: int) -> Json:
    def worker(number: int, own: list[int], *, alive: bool) -> Json:
        parts = {"kafka": {"state": "ok"}, "redis": {"state": "ok"}, "control": {"state": "ok"}}
        return {
            "id": f"driftline-worker-{number}", "host": f"node-{number}", "pid": 4100 + number, "started": START,
            "seen": END + AHEAD - (1 if alive else 320), "alive": alive, "address": f"http://node-{number}:8080",
            "partitions": own, "state": "ok" if alive else "down", "parts": parts if alive else {},
            "events_per_second": 61.0 + number if alive else None, "memory_bytes": 312_000_000 + 1_000_000 * number,
            "version": 4,
        }  # fmt: skip

    own = list(range(partitions))
    half = (partitions + 1) // 2
    return {
        "workers": [worker(1, own[:half], alive=True), worker(2, own[half:], alive=True), worker(3, [], alive=False)],
        "partitions": [
            {"partition": i, "worker": f"driftline-worker-{1 if i < half else 2}", "lag": int(40 * chance("lag", i)),
             "stream_time": END - 2 * chance("at", i), "version": 4, "snapshot_age": 5 + 40 * chance("snap", i)}
            for i in own
        ],
    }  # fmt: skip


def audit() -> list[Json]:
    return [
        {"id": "au3", "ts": ERRORS_TOLD + 900, "who": "maria", "role": "operator", "ip": "10.2.0.17",
         "action": "alerts.acknowledge", "target": "alert a004", "before": None,
         "after": {"note": "new merchant terminals, expected"}, "outcome": "done", "reason": "", "detail": ""},
        {"id": "au4", "ts": ROLLED_BACK + 60, "who": "jon", "role": "operator", "ip": "10.2.0.21",
         "action": "pause", "target": "app payments", "before": {"paused": None},
         "after": {"paused": {"who": "jon", "when": ROLLED_BACK + 60, "reason": "a look"}}, "outcome": "done",
         "reason": "a look"},
        {"id": "au2", "ts": ROLLED_BACK, "who": "jon", "role": "operator", "ip": "10.2.0.21",
         "action": "models.rollback", "target": "model payments version 2",
         "before": {"version": 3}, "after": {"version": 2}, "outcome": "done",
         "reason": "version 3 was pushed with last month's features"},
        {"id": "au1", "ts": START + 0.6 * DAY, "who": "ci@build-7", "role": "", "ip": "",
         "via": "command line", "action": "models.push", "target": "payments",
         "before": {"version": 2}, "after": {"version": 3}, "outcome": "done",
         "reason": "monthly retraining"},
    ]  # fmt: skip
