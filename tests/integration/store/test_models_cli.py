from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from stream.cli import main
from stream.cli.models import app
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import ConfigError, ModelError, StoreError
from stream.stores.base import UnknownVersion
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from tests.integration.store.conftest import CONFIG, FOREIGN_KEY, Open, make_learner, make_meta, serving


@pytest.fixture
def two_versions(store: ModelStore) -> ModelStore:
    for labels in (100, 200):
        version = store.publish("delays", make_learner(labels), meta=make_meta(labels=labels))
        store.promote("delays", version, expected_epoch=version - 1, reason="first", who="task 0")
    return store


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(app, [args[0], "-c", str(config), *args[1:]])


def output(config: Path, *args: str) -> str:
    result = run(config, *args)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


@pytest.mark.usefixtures("two_versions")
def test_the_list_shows_all_versions_and_marks_the_champion(config: Path) -> None:
    rows = [line for line in output(config, "list").splitlines() if "logistic" in line]
    assert len(rows) == 2
    assert "*" not in rows[0]
    assert "*" in rows[1]
    for word in ("2", "2026-01-01 00:03:20", "first", "roc_auc 0.75", "200", "kB"):
        assert word in rows[1]


def test_the_list_says_of_when_its_figures_are_and_what_a_first_version_has_none_of(
    config: Path, store: ModelStore
) -> None:
    untrained = msgspec.structs.replace(make_meta(), scores={})
    version = store.publish("delays", make_learner(), meta=untrained)
    store.promote("delays", version, expected_epoch=0, reason="first", who="task 0")

    text = output(config, "list")

    (row,) = (line for line in text.splitlines() if "logistic" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][-3:-1] == ["-", "-"]
    for words in ("scores then", "labels then", "those with which a version was made", "* serves since 2"):
        assert words in text
    assert re.search(r"labels then +-", output(config, "show"))


def test_by_how_much_a_version_was_better_is_told_with_its_scores(config: Path, store: ModelStore) -> None:
    losses, lead = {"champion_loss": 0.31, "challenger_loss": 0.22}, {"advantage": (0.02, 0.16)}
    store.publish("delays", make_learner(1), meta=make_meta(labels=1))
    won = msgspec.structs.replace(make_meta("beat_champion", labels=2), scores=losses, intervals=lead)
    store.publish("delays", make_learner(2), meta=won)

    assert "champion_loss 0.31, challenger_loss 0.22, advantage 0.02 to 0.16" in output(config, "show", "2")
    for told in (output(config, "list"), output(config, "diff", "1", "2")):
        assert "advantage" in told
        assert "0.02 to 0.16" in told


@pytest.mark.usefixtures("two_versions")
def test_the_list_is_json_for_programs(config: Path) -> None:
    versions: list[dict[str, Any]] = json.loads(output(config, "list", "--json"))
    assert [(v["version"], v["champion"], v["labels"]) for v in versions] == [(1, False, 100), (2, True, 200)]
    assert versions[1]["epoch"] == 2
    assert len(versions[1]["digest"]) == 64


def test_a_model_that_nobody_published_is_said_to_have_no_versions(config: Path) -> None:
    assert output(config, "list") == "model delays has no versions yet.\n"
    assert json.loads(output(config, "list", "--json")) == []


@pytest.mark.usefixtures("two_versions")
def test_a_model_name_that_is_not_there_is_told_with_those_that_are(config: Path) -> None:
    result = run(config, "list", "--model", "dealys")
    assert isinstance(result.exception, ConfigError)
    assert "no model 'dealys'" in str(result.exception)
    assert "There is delays." in str(result.exception)


@pytest.mark.usefixtures("two_versions")
def test_show_tells_all_of_the_champion_or_of_another(config: Path) -> None:
    text = output(config, "show")
    for word in ("version", "2", "yes", "task 0", "roc_auc 0.75", "2026-01-01 00:03:20"):
        assert word in text
    other = json.loads(output(config, "show", "1", "--json"))
    assert (other["version"], other["champion"], other["parents"]) == (1, False, [])


def test_a_promotion_by_hand_reaches_a_running_watcher(config: Path, two_versions: ModelStore) -> None:
    watcher = ChampionWatcher(two_versions, "delays", 0.05).start()
    try:
        assert watcher.refresh(20)
        watcher.take()

        said = output(config, "promote", "1", "--reason", "safer on holidays")

        assert said == "champion of delays: version 2 -> version 1 (epoch 3, promoted: safer on holidays)\n"
        assert watcher.refresh(20)
        loaded = watcher.take()
        assert loaded is not None
        assert (loaded.version, loaded.champion.reason) == (1, "promoted: safer on holidays")
        assert "@" in loaded.champion.who
    finally:
        watcher.stop()


def test_promoting_the_champion_changes_nothing(config: Path, two_versions: ModelStore) -> None:
    before = two_versions.champion("delays")
    assert "is the champion already" in output(config, "promote", "2")
    assert two_versions.champion("delays") == before


def test_rollback_goes_back_and_then_has_nothing_left(config: Path, two_versions: ModelStore) -> None:
    assert output(config, "rollback") == "champion of delays: version 2 -> version 1 (epoch 3, rollback)\n"
    assert serving(two_versions) == 1
    result = run(config, "rollback")
    assert isinstance(result.exception, StoreError)
    assert "there is none before it" in str(result.exception)


def test_going_back_to_a_version_that_was_stored_before_its_first_label_says_that_it_knows_nothing(
    config: Path, store: ModelStore
) -> None:
    for epoch, labels in enumerate((0, 200)):
        version = store.publish("delays", make_learner(labels), meta=make_meta(labels=labels))
        store.promote("delays", version, expected_epoch=epoch, reason="first", who="task 0")

    assert "Version 1 serves as it was stored, before its first label" in output(config, "rollback")
    assert "knows nothing" not in output(config, "promote", "2")


def test_going_back_to_a_version_that_tasks_still_have_says_that_it_has_learned_on(
    config: Path, two_versions: ModelStore
) -> None:
    two_versions.retention.hold("delays", "task 0", [1])
    two_versions.retention.hold("delays", "task 1", [2])

    assert "Version 1 goes on with what it has learned since in task 0." in output(config, "rollback")
    assert "learned since" not in output(config, "promote", "2"), "it serves as it is stored"


def test_rollback_to_a_version_by_number(config: Path, two_versions: ModelStore) -> None:
    output(config, "rollback", "1")
    assert serving(two_versions) == 1


def test_a_rollback_says_why(config: Path, two_versions: ModelStore) -> None:
    said = output(config, "rollback", "--reason", "worse on holidays")
    assert said == "champion of delays: version 2 -> version 1 (epoch 3, rollback: worse on holidays)\n"


def test_a_version_that_is_not_there_is_not_promoted(config: Path, two_versions: ModelStore) -> None:
    result = run(config, "promote", "9")
    assert isinstance(result.exception, UnknownVersion)
    assert serving(two_versions) == 2


def test_a_model_that_workers_would_refuse_is_refused_here(
    config: Path, two_versions: ModelStore, server: EmbeddedValkey, open_store: Open
) -> None:
    foreign = open_store(server, key=FOREIGN_KEY).publish("delays", make_learner(9), meta=make_meta(labels=9))
    for command in ("promote", "rollback"):
        result = run(config, command, str(foreign))
        assert isinstance(result.exception, ModelError)
        assert "model delays version 3 was not promoted" in str(result.exception)
    assert serving(two_versions) == 2


def test_a_missing_signing_key_is_told_with_the_cure(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRIFTLINE_SIGNING_KEY")
    result = run(config, "list")
    assert isinstance(result.exception, ConfigError)
    assert "security.signing_key: the environment variable DRIFTLINE_SIGNING_KEY is not set." in str(result.exception)


def test_a_store_that_is_down_is_one_message_and_an_exit_code(
    config: Path, own_server: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_server.stop()
    config.write_text(CONFIG.format(url=f"redis://:hunter2@{own_server.address}/0"), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["driftline", "models", "list", "-c", str(config)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"driftline: Redis at {own_server.address} refused the connection.\n"
        "  Start it, or set redis.url to where it runs.\n"
    )


def test_words_of_a_publisher_cannot_dress_up_the_terminal(config: Path, store: ModelStore) -> None:
    store.publish("delays", make_learner(), meta=make_meta("[bold red]\x1b[31mfirst[/]"))
    text = output(config, "list")
    assert "[bold red]" in text
    assert "\x1b" not in text
