"""docs/config.md is made from the models, and every field in them says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from stream.config.model import Config
from stream.config.reference import render
from stream.config.words import fields_of, kind_of, models_in

PAGE = Path(__file__).parents[3] / "docs" / "config.md"


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from sections(inner)


def test_the_reference_page_is_up_to_date() -> None:
    if PAGE.read_text(encoding="utf-8") != render():
        pytest.fail("docs/config.md is stale: run `make docs` and commit it", pytrace=False)


@pytest.mark.parametrize("model", list(dict.fromkeys(sections(Config))), ids=lambda model: str(model.__name__))
def test_every_field_and_section_says_what_it_is(model: type[BaseModel]) -> None:
    kind = kind_of(model)
    silent = [name for name, field in fields_of(model).items() if not field.description and (name,) != (kind or ())[:1]]

    assert silent == []
    assert model.__doc__


def test_the_page_tells_path_type_range_default_and_meaning() -> None:
    assert (
        "| `labels.max_pending` | an integer of at least 1 | `200000` | most predictions of one task that wait; "
        "the oldest expire beyond it |" in render()
    )
