"""Pickles that change a class or a function itself, not an object of it: each refused, and undone."""

from __future__ import annotations

import pickle

import pytest
from river.stats import Mean

from learners.unpickle import Refused
from tests.unit.learners.crafted_pickles import load, named, text


def tampered(target: bytes, attribute: str, value: bytes) -> bytes:
    """A pickle that sets an attribute of something that it only names: BUILD with a state of slots."""
    return b"\x80\x04" + target + b"N}" + text(attribute) + value + b"s\x86b."


MEAN = named("river.stats.mean", "Mean")


@pytest.mark.parametrize(
    ("target", "attribute", "value", "of"),
    [
        (MEAN, "get", b"N", "river.stats.mean.Mean"),
        (MEAN, "update", named("copy", "deepcopy"), "river.stats.mean.Mean"),
        (MEAN, "new", b"K\x01", "river.stats.mean.Mean"),
        (MEAN, "__setstate__", named("builtins", "dict"), "river.stats.mean.Mean"),
        (named("copy", "deepcopy"), "__defaults__", b"K\x01K\x02\x86", "copy.deepcopy"),
        (named("copy", "deepcopy"), "new", b"K\x01", "copy.deepcopy"),
        (named("builtins", "bytes"), "__defaults__", b"K\x01\x85", "learners.unpickle._bytes"),
    ],
)
def test_a_pickle_that_changes_what_it_names_is_refused_and_undone(
    target: bytes, attribute: str, value: bytes, of: str
) -> None:
    attack = tampered(target, attribute, value)
    with pytest.raises(Refused, match=f"it changes {of} itself"):
        load(attack)
    for _ in range(2):  # the second time nothing is left of the first
        with pytest.raises(Refused, match=f"it changes {of} itself"):
            load(attack)
    mean = Mean()
    mean.update(3.0)
    assert mean.get() == 3.0
    assert not hasattr(Mean, "new")
    assert not hasattr(Mean, "__setstate__")


def test_what_a_pickle_changed_is_undone_even_if_it_fails_for_another_reason() -> None:
    attack = tampered(MEAN, "get", b"N")[:-1] + named("os", "system") + b"."
    with pytest.raises(Refused):
        load(attack)
    assert Mean().get() == 0.0


def test_python_itself_lets_a_pickle_change_a_class() -> None:
    """Otherwise the tests above would prove nothing."""
    try:
        pickle.loads(tampered(MEAN, "new", b"K\x01"))
        assert vars(Mean)["new"] == 1
    finally:
        delattr(Mean, "new")
