"""Retired champions, and which of them are tried again."""

from __future__ import annotations

from typing import Any

from learners.base import Learner
from stream.core.library import RECALLED, Kept, Labelled, Library
from stream.core.problem import BinaryJudge
from stream.core.state import TaskState
from stream.testing import small_config

JUDGE = BinaryJudge(0.5, absolute=False)
XS = [(at % 21 - 10) / 10 for at in range(105)]


def concept(turn: float) -> tuple[Labelled, ...]:
    """Labelled events of a world in which what is above `turn` is true, of which the champion knew nothing."""
    return tuple(Labelled({"x": x}, 0.5, x > turn, at) for at, x in enumerate(XS))


def served(turn: float) -> tuple[Labelled, ...]:
    """The same, which the champion knew well."""
    return tuple(Labelled({"x": x}, 0.9 if x > turn else 0.1, x > turn, at) for at, x in enumerate(XS))


def expert(turn: float) -> Learner[Any]:
    """A learner of that world."""
    learner = TaskState(small_config({"model": {"learner": {"kind": "hoeffding_tree", "grace_period": 20}}})).champion
    for _ in range(20):
        learner.learn([{"x": x} for x in XS], [x > turn for x in XS])
    return learner


def versions(library: Library) -> list[int]:
    return [model.version for model in library.models]


def test_a_model_of_a_concept_that_comes_back_is_found_and_is_a_copy() -> None:
    library = Library(3, JUDGE)
    one, other = expert(-0.5), expert(0.5)
    library.add(Kept(one, 1, served(-0.5)))
    library.add(Kept(other, 2, served(0.5)))

    (found,) = library.fitting(concept(-0.5))[:1]

    assert found.version == 1
    assert found.learner is not one
    assert found.learner.predict([{"x": 0.0}]) == one.predict([{"x": 0.0}])


def test_models_that_fit_no_better_than_the_champion_stay_where_they_are() -> None:
    library = Library(3, JUDGE)
    library.add(Kept(expert(-0.9), 1, served(-0.9)))

    assert library.fitting(served(0.9)) == []


def test_where_too_few_labels_have_come_to_tell_all_may_compete() -> None:
    library = Library(3, JUDGE)
    library.add(Kept(expert(-0.9), 1, concept(-0.9)))

    (found,) = library.fitting(served(0.9)[:10])

    assert found.learner is not library.models[0].learner


def test_only_so_many_compete_at_a_time() -> None:
    library = Library(5, JUDGE)
    for version, turn in enumerate((-0.6, -0.3, 0.0, 0.3, 0.6)):
        library.add(Kept(expert(turn), version, served(turn)))

    assert len(library.fitting(concept(0.0))) == RECALLED


def test_the_oldest_gives_way_and_of_one_concept_the_newest_is_kept() -> None:
    library = Library(2, JUDGE)
    library.add(Kept(expert(-0.5), 1, served(-0.5)))
    library.add(Kept(expert(0.5), 2, served(0.5)))
    library.add(Kept(expert(-0.5), 3, served(-0.5)))
    assert versions(library) == [2, 3]

    library.add(Kept(expert(0.0), 4, served(0.0)))
    assert versions(library) == [3, 4]


def test_a_library_of_size_nothing_keeps_nothing_nor_what_has_no_concept_to_show() -> None:
    none, empty = Library(0, JUDGE), Library(3, JUDGE)
    none.add(Kept(expert(0.0), 1, concept(0.0)))
    empty.add(Kept(expert(0.0), 1, concept(0.0)[:5]))

    assert versions(none) == versions(empty) == []
