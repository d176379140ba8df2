"""`driftline models push`, `withdraw`, `pull`, `diff` and `pin`, against a real store."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from river import compose, linear_model, preprocessing

from learners.artifacts import Place, seal
from learners.base import Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.errors import ConfigError, ModelError, StoreError
from stream.faultpoints import VARIABLE
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import (
    FOREIGN_KEY,
    KEY,
    ON_ONE_SERVER,
    competing,
    make_learner,
    make_meta,
    serving,
)
from tests.integration.store.test_models_cli import output, run, two_versions
from tests.integration.support.running import DRIFTLINE
from tests.unit.test_quarantine import SKETCH_OF_66_GB

ROWS: list[dict[str, Any]] = [{"x": n / 10 - 1.0} for n in range(21)]

__all__ = ["two_versions"]
pytestmark = ON_ONE_SERVER


def notebook(labels: int = 60, name: str = "x") -> Any:
    """A pipeline that somebody has trained with bare River."""
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    for n in range(labels):
        model.learn_one({name: n % 7 - 3.0}, n % 7 > 3)
    return model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Its pickle."""
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(notebook()))
    return path


def refusal(config: Path, *args: str) -> Exception:
    result = run(config, *args)
    assert isinstance(result.exception, (ConfigError, ModelError, StoreError)), result.output
    return result.exception


def test_a_pickled_pipeline_becomes_a_version_that_competes(config: Path, store: ModelStore, file: Path) -> None:
    said = output(config, "push", str(file), "--reason", "trained on 2025")

    learner, meta = store.load("delays", 1)
    assert said.startswith(f"model delays version 1: foreign: StandardScaler | LogisticRegression, from {file}.")
    assert (meta.reason, meta.recipe, "@" in meta.who) == ("trained on 2025", learner.recipe, True)
    assert learner.predict(ROWS) == [notebook().predict_proba_one(row)[True] for row in ROWS]
    assert competing(store) == [1]
    assert serving(store) is None
    assert "and competes in no task: none has taken it up yet" in " ".join(output(config, "list").split())


def test_a_model_that_was_entered_is_said_to_compete_in_the_tasks_that_have_it(
    config: Path, store: ModelStore, file: Path
) -> None:
    output(config, "push", str(file))
    for task, held in (("task 0", {1}), ("task 1", {7}), ("task 2", {1, 7})):
        store.retention.hold("delays", task, held)

    assert "and competes in task 0, task 2." in " ".join(output(config, "list").split())
    assert json.loads(output(config, "show", "1", "--json"))["competes_in"] == ["task 0", "task 2"]


def test_pushing_the_same_file_again_makes_no_second_version(config: Path, store: ModelStore, file: Path) -> None:
    for _ in range(2):
        output(config, "push", str(file))
    assert [meta.version for meta in store.versions("delays")] == [1]


def test_a_push_that_is_killed_before_the_model_competes_is_done_over_by_pushing_again(
    config: Path, store: ModelStore, file: Path
) -> None:
    command = [*DRIFTLINE, "models", "push", "-c", str(config), str(file)]
    done = subprocess.run(command, check=False, env={**os.environ, VARIABLE: "model_published:1"}, timeout=60)
    left = [meta.version for meta in store.versions("delays")], competing(store)

    output(config, "push", str(file))

    assert done.returncode == -signal.SIGKILL
    assert left == ([1], [])
    assert [meta.version for meta in store.versions("delays")] == [1]
    assert competing(store) == [1]


def test_a_version_that_shall_not_compete_is_only_stored(config: Path, store: ModelStore, file: Path) -> None:
    said = output(config, "push", str(file), "--no-compete")
    assert "serves nobody until it is promoted" in said
    assert competing(store) == []


def test_where_no_challenger_competes_a_push_says_so_before_anything_is_stored(
    config: Path, store: ModelStore, file: Path
) -> None:
    config.write_text(config.read_text() + "adaptation: {policy: alert_only}\n")
    error = refusal(config, "push", str(file))
    assert "alert_only: no challenger competes" in str(error)
    assert "--no-compete" in str(error)
    assert store.versions("delays") == []


@pytest.mark.usefixtures("two_versions")
def test_a_pushed_model_competes_no_more_once_it_is_withdrawn_and_stays_a_version(
    config: Path, store: ModelStore, file: Path
) -> None:
    output(config, "push", str(file))
    said = output(config, "withdraw", "3")
    assert said == "model delays version 3 competes no more.\n"
    assert competing(store) == []
    assert store.version("delays", 3).reason == "pushed"
    assert "version 3 does not compete" in str(refusal(config, "withdraw", "3"))


HERE = Place("model", "flights", "delays")


class Attack:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/driftline-was-attacked",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps(Attack()), "names posix.system, which no model is made of"),
        (b"no pickle", "not a pickle that can be opened here"),
        (SKETCH_OF_66_GB, "takes more than 536,870,912 bytes of memory"),
        (pickle.dumps(notebook(name="amount")), "trained on amount, which events.features does not declare; it has x"),
        (pickle.dumps(linear_model.LinearRegression()), "is no classifier, which binary needs"),
        (
            pickle.dumps(compose.Pipeline(preprocessing.OneHotEncoder(), compose.Select("y"), notebook())),
            "the model fails on events such as events.features describes",
        ),
        (
            seal(make_learner(9), key=FOREIGN_KEY, metadata={}, place=HERE),
            "does not hold",
        ),
        (
            seal(make_learner(9), key=KEY, metadata={}, place=Place("model", "flights", "another")),
            "an artifact sealed as model 'another' of app 'flights' stands in the place of the model 'delays'",
        ),
        (
            seal(build(LogisticConfig(), Problem.BINARY, Schema(("x", "y"))), key=KEY, metadata={}, place=HERE),
            "the model is for binary from x, y; delays is binary from x",
        ),
    ],
    ids=["attack", "junk", "memory", "features", "problem", "fails", "key", "model", "schema"],
)
def test_what_is_not_trusted_or_does_not_fit_is_refused_and_nothing_stored(
    config: Path, store: ModelStore, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    error = refusal(config, "push", str(path))
    assert said in str(error)
    assert str(path) in str(error)
    assert store.versions("delays") == []
    assert not Path("/tmp/driftline-was-attacked").exists()


def test_help_says_that_a_pickle_is_a_program(config: Path) -> None:
    said = " ".join(output(config, "push", "--help").split())
    assert "A pickle is a program that nobody has signed" in said


@pytest.mark.usefixtures("two_versions")
def test_what_is_pulled_is_pushed_again_with_all_that_it_has_learned(
    config: Path, store: ModelStore, tmp_path: Path
) -> None:
    path = tmp_path / "champion.sealed"
    said = output(config, "pull", "-o", str(path))
    assert said.startswith(f"Wrote {path}: model delays version 2, logistic, ")
    output(config, "push", str(path))

    assert store.load("delays", 3)[0].predict(ROWS) == store.load("delays", 2)[0].predict(ROWS)
    assert "is there already" in str(refusal(config, "pull", "-o", str(path)))
    output(config, "pull", "1", "-o", str(path), "--force")
    assert store.open("delays", path.read_bytes()).predict(ROWS) == store.load("delays", 1)[0].predict(ROWS)


@pytest.mark.usefixtures("two_versions")
def test_a_pickle_is_rivers_own_pipeline_and_can_be_pushed_again(
    config: Path, store: ModelStore, tmp_path: Path
) -> None:
    path = tmp_path / "champion.pickle"
    output(config, "pull", "2", "--format", "pickle", "-o", str(path))
    bare = pickle.loads(path.read_bytes())
    learner = store.load("delays", 2)[0]
    output(config, "push", str(path))

    assert isinstance(bare, compose.Pipeline)
    assert [bare.predict_proba_one(row)[True] for row in ROWS] == learner.predict(ROWS)
    assert store.load("delays", 3)[0].predict(ROWS) == learner.predict(ROWS)


def test_a_difference_tells_metadata_scores_with_intervals_parameters_and_weights(
    config: Path, store: ModelStore
) -> None:
    old = structs.replace(make_meta(labels=100), scores={"log_loss": 0.5}, intervals={"log_loss": (0.45, 0.55)})
    store.publish("delays", make_learner(100), meta=old)
    fast = build(LogisticConfig(learning_rate=0.5), Problem.BINARY, Schema(("x",)))
    fast.learn(ROWS, [row["x"] > 0 for row in ROWS])
    new = structs.replace(make_meta("beat_champion", labels=21), scores={"log_loss": 0.4}, span=(10, 1_030))
    store.publish("delays", fast, meta=structs.replace(new, parents=(1,)))

    text = output(config, "diff", "1", "2")
    for words in ("beat_champion", "10 to 1,030", "0.5 (0.45 to 0.55)", "-0.1", "learning_rate", "0.01", "(intercept)"):
        assert words in text
    told = json.loads(output(config, "diff", "1", "2", "--json"))
    assert told["parameters"]["learning_rate"] == ["0.01", "0.5"]
    mine, theirs = told["weights"]["x"]
    assert theirs == pytest.approx(fast.bare["LogisticRegression"].weights["x"])
    assert mine != theirs
    assert [meta["parents"] for meta in told["versions"]] == [[], [1]]


@pytest.mark.usefixtures("two_versions")
def test_versions_of_the_same_recipe_differ_in_no_parameter(config: Path) -> None:
    assert "Their parameters are the same." in output(config, "diff", "1", "2")


@pytest.mark.usefixtures("two_versions")
def test_a_version_is_not_compared_with_itself(config: Path) -> None:
    assert "got version 2 twice; expected two versions" in str(refusal(config, "diff", "2", "2"))


def test_an_empty_file_is_no_model(config: Path, store: ModelStore, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pickle"
    empty.touch()

    assert f"{empty} is empty: there is no model in it" in str(refusal(config, "push", str(empty)))
    assert store.versions("delays") == []


def test_versions_without_scores_have_no_table_of_them(config: Path, store: ModelStore) -> None:
    for labels in (1, 2):
        store.publish("delays", make_learner(labels), meta=structs.replace(make_meta(labels=labels), scores={}))
    text = output(config, "diff", "1", "2")
    assert "No scores were published with either." in text
    assert "score then" not in text


@pytest.mark.usefixtures("two_versions")
def test_a_version_is_pinned_until_it_is_unpinned(config: Path, store: ModelStore) -> None:
    output(config, "pin", "1")
    pins = store.retention.pins("delays")
    listed = output(config, "list")
    output(config, "unpin", "1")
    assert list(pins) == [1]
    assert "Pinned: 1." in listed
    assert store.retention.pins("delays") == {}


def test_metadata_from_before_there_were_several_parents_still_reads(
    config: Path, store: ModelStore, client: Any
) -> None:
    store.publish("delays", make_learner(), meta=make_meta())
    key = "driftline:flights:model:delays:versions"
    meta = json.loads(client.hget(key, "1"))
    for new in ("parents", "intervals", "span"):
        del meta[new]
    client.hset(key, "1", json.dumps({**meta, "parent": 7}))

    assert store.version("delays", 1).parents == (7,)
    assert json.loads(output(config, "show", "1", "--json"))["parents"] == [7]
