"""Drawing profiles from files of events, writing and reading them, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.basis import Basis
from stream.config.digest import state_digest
from stream.config.model import Config
from stream.errors import ConfigError, DataError, StoreError
from stream.profile import Profile, decode, encode
from stream.profiling import sample, size_for
from stream.stores.profiles import read_profile
from stream.testing import small_config
from tests.profiles import MADE, profile

DETECT: dict[str, Any] = {
    "detectors": {"data": [{"kind": "ks", "reference": 100}, {"kind": "missing_rate", "reference": 150}]}
}


def written(path: Path, events: Iterable[dict[str, Any] | str]) -> Path:
    path.write_text("\n".join(e if isinstance(e, str) else json.dumps(e) for e in events))
    return path


def numbered(n: int) -> list[dict[str, Any]]:
    """Events whose x is their number; every fifth has no kind."""
    return [{"id": f"e{i}", "x": i} | ({"kind": "ab"[i % 2]} if i % 5 else {}) for i in range(n)]


def drawn(path: Path, size: int = 200, seed: int = 1, config: Config | None = None) -> Profile:
    return sample(config or small_config(), path, size, seed, MADE).profile


# drawing


def test_a_profile_holds_a_sample_of_the_events_as_they_stand_with_what_they_lack(tmp_path: Path) -> None:
    found = drawn(written(tmp_path / "events.jsonl", numbered(1000)))

    assert (found.events, found.dead_letters, found.source, len(found.times)) == (1000, 0, "events.jsonl", 200)
    numbers = [row["x"] for row in found.rows]
    assert len(set(numbers)) == 200
    assert all(row["kind"] == ("ab"[int(row["x"]) % 2] if row["x"] % 5 else None) for row in found.rows)


def test_every_event_is_as_likely_in_any_part_of_the_sample(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", numbered(40))

    firsts: Counter[float] = Counter()
    for seed in range(400):
        firsts.update(row["x"] for row in drawn(path, size=20, seed=seed).rows[:10])

    assert set(firsts) == set(range(40))
    assert min(firsts.values()) > 60, "each is expected in 100 of 400 samples' first half"
    assert max(firsts.values()) < 140


def test_the_same_file_and_seed_give_the_same_sample_and_another_seed_another(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", numbered(500))
    assert drawn(path).digest == drawn(path).digest != drawn(path, seed=2).digest


def test_a_file_with_fewer_events_is_taken_whole(tmp_path: Path) -> None:
    found = drawn(written(tmp_path / "events.jsonl", numbered(30)))
    assert sorted(row["x"] for row in found.rows) == list(range(30))


def test_lines_that_would_be_dead_letters_are_counted_and_the_first_is_told(tmp_path: Path) -> None:
    lines: list[dict[str, Any] | str] = [*numbered(3), "", "{", '{"id": "e9", "x": "far"}']
    found, rejected = sample(small_config(), written(tmp_path / "some.jsonl", lines), 100, 1, MADE)

    assert (found.events, found.dead_letters) == (3, 2)
    assert rejected is not None
    assert rejected.message.startswith("some.jsonl[0]@5: ")


def test_times_are_those_of_the_events(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", [{"id": "e1", "at": 17, "x": 1.0}])
    assert drawn(path, config=small_config({"events": {"time": "at"}})).times == [17.0]
    assert drawn(path).times == [0.0]


def test_nested_features_are_drawn_by_their_names(tmp_path: Path) -> None:
    features = {"x": {"type": "number", "path": "deep.x"}, "kind": {"type": "boolean"}}
    path = written(tmp_path / "events.jsonl", [{"id": "e1", "deep": {"x": 1}, "kind": True}])
    assert drawn(path, config=small_config({"events": {"features": features}})).rows == [{"x": 1.0, "kind": True}]


@pytest.mark.parametrize(
    ("lines", "words"),
    [([], "holds no events"), (["{", "["], "none of its 2 lines"), (None, "no such file")],
)
def test_a_file_without_events_is_refused(tmp_path: Path, lines: list[str] | None, words: str) -> None:
    path = tmp_path / "events.jsonl"
    if lines is not None:
        written(path, lines)
    with pytest.raises(DataError, match=words):
        drawn(path)


def test_twice_the_largest_reference_is_drawn_unless_there_is_none() -> None:
    assert size_for(small_config(DETECT)) == 300
    assert size_for(small_config()) == 1000


# writing and reading


def test_a_profile_that_was_written_is_read_as_it_was() -> None:
    one = profile(x=[1.5, None, 1e300, -3.0], kind=["a", "ä", None, '"'])
    assert decode(encode(one), small_config()) == one
    assert decode(encode(one), small_config()).digest == one.digest


def test_the_digest_is_that_of_the_sample_alone() -> None:
    one = profile(x=[1.0, 2.0], kind=["a", "b"])
    later = msgspec.structs.replace(one, made=datetime.now(UTC), source="elsewhere", features={**one.features})
    assert later.digest == one.digest
    assert profile(kind=["a", "b"], x=[1.0, 2.0]).digest == one.digest
    assert profile(x=[2.0, 1.0], kind=["a", "b"]).digest != one.digest
    assert msgspec.structs.replace(one, times=[5.0, 6.0]).digest != one.digest


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"driftline-profile", b"something", "no profile"),
        (b'"version": 1', b'"version": 7', "version 7; expected 1"),
        (b"1.0,2.0", b"1.0", "feature 'x' has 1 values of 2 events"),
        (b"1.0,2.0", b'1.0,"far"', "feature 'x' is declared as a number; .*got `str`"),
        (b'"a","b"', b'"a",1', r"feature 'kind' is declared as text.*`\$\[1\]`"),
        (b"}\n}", b"}", "malformed|truncated"),
    ],
)
def test_what_is_no_profile_or_contradicts_the_features_is_refused(before: bytes, after: bytes, words: str) -> None:
    data = encode(profile(x=[1.0, 2.0], kind=["a", "b"]))
    assert before in data
    with pytest.raises(DataError, match=words):
        decode(data.replace(before, after), small_config())


def test_a_value_that_an_event_may_not_have_is_refused() -> None:
    features = {"x": {"type": "number", "max": 1.5}, "kind": {"type": "category"}}
    data = encode(profile(x=[1.0, 2.0], kind=["a", "b"]))
    with pytest.raises(DataError, match=r"a number of at most 1.5; in the profile: .*<= 1.5"):
        decode(data, small_config({"events": {"features": features}}))


def test_a_file_that_is_not_there_or_wrong_is_told_with_the_field_and_the_path(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    with pytest.raises(ConfigError, match=r"references.profile: there is no file .*profile.json") as refusal:
        read_profile(path, small_config(), "references.profile")
    assert "driftline profile build" in (refusal.value.cure or "")
    path.write_bytes(b"[]")
    with pytest.raises(ConfigError, match=r"references.profile: .*profile.json: it is no profile"):
        read_profile(path, small_config(), "references.profile")


# with a configuration


def test_the_sample_is_part_of_what_a_tasks_state_depends_on() -> None:
    config = small_config()
    one, other = profile(x=[1.0], kind=["a"]), profile(x=[2.0], kind=["a"])

    def digest(known: Profile | None) -> str:
        return Basis(config, lambda: known).digest

    assert len({digest(None), digest(one), digest(other)}) == 3
    assert digest(None) == Basis(config).digest == state_digest(config)


def test_a_profile_with_enough_values_of_each_watched_feature_is_taken() -> None:
    enough = profile(x=[None] * 50 + [1.0] * 100, kind=["a"] * 150)
    assert Basis(small_config(DETECT), lambda: enough).profile is enough


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"x": [None] * 51 + [1.0] * 99, "kind": ["a"] * 150}, "99 values of feature 'x', in 150 events; detector ks"),
        ({"kind": ["a"] * 150}, "0 values of feature 'x', in 150 events; detector ks lacks 100"),
        ({"x": [1.0] * 149, "kind": ["a"] * 149}, "149 values of feature 'x'.*missing_rate lacks 1"),
    ],
)
def test_a_profile_that_lacks_values_is_refused_with_the_cure(features: dict[str, list[Any]], words: str) -> None:
    basis = Basis(small_config(DETECT), lambda: profile(**features))
    with pytest.raises(ConfigError, match=words) as refusal:
        _ = basis.profile
    assert str(refusal.value).startswith("references.profile: ")
    assert "references.lacking" in (refusal.value.cure or "")


def test_a_segment_that_has_too_few_events_of_a_profile_is_told_as_such() -> None:
    segmented = {"kind": "ks", "reference": 100, "segments": {"by": "kind"}}
    few = profile(x=[1.0] * 150, kind=["a"] * 120 + ["b"] * 30)
    with pytest.raises(ConfigError, match="150 values of feature 'x', in 150 events; a segment of ks lacks 70"):
        _ = Basis(small_config({"detectors": {"data": [segmented]}}), lambda: few).profile


def test_what_a_profile_lacks_may_be_learnt() -> None:
    config = small_config({**DETECT, "references": {"lacking": "learn"}})
    few = profile(x=[1.0])
    assert Basis(config, lambda: few).profile is few


def test_a_profile_that_could_not_be_fetched_is_asked_for_again() -> None:
    answers: list[Any] = [StoreError("away"), profile(x=[1.0], kind=["a"])]

    def fetch() -> Profile:
        answer = answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        found: Profile = answer
        return found

    basis = Basis(small_config(), fetch)
    with pytest.raises(StoreError):
        _ = basis.digest
    assert basis.digest == basis.digest
    assert answers == []
