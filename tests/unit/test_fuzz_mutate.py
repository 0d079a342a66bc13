"""The fuzzer's mutations: always bytes, and always the same ones for the same seed."""

import sys
from pathlib import Path

import pytest
from onnx import helper

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from mutate import mutated


@pytest.fixture(scope="module")
def not_utf8() -> bytes:
    """A model with a name that is no UTF-8: it can be parsed, but not be set."""
    add = helper.make_node("Add", ["QQ", "y"], ["z"])
    model = helper.make_model(helper.make_graph([add], "g", [], []))
    return model.SerializeToString().replace(b"QQ", b"\xff\xfe")


def test_names_that_are_not_utf8_never_stop_a_mutation(not_utf8: bytes) -> None:
    for seed in range(2000):
        assert isinstance(mutated(not_utf8, [not_utf8], seed), bytes)


def test_a_seed_names_one_mutation(not_utf8: bytes) -> None:
    for seed in range(100):
        assert mutated(not_utf8, [not_utf8], seed) == mutated(not_utf8, [not_utf8], seed)
