"""ONNX's own backend suite passes, and what is a network runs on the engine, not in the folder.

`onnx_backend_cases.json` names the cases: `core` are the operators of image classifiers, `full`
those of other convolutional networks beside them, `other_ranks` their forms with one or three
spatial axes. Cases in `on_the_engine` must not be computed by constant folding.
"""

from __future__ import annotations

import json
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from pyhpmp.errors import InvalidArgumentError
from pyhpmp.onnx_backend import HpmpBackend, HpmpRep

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "onnx_backend_cases.json").read_text()
)
ON_THE_ENGINE = frozenset(CASES["on_the_engine"])


class Recorded(HpmpBackend):
    """Keeps what was prepared, to ask it afterwards what ran it."""

    reps: list[HpmpRep] = []  # noqa: RUF012

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> HpmpRep:
        cls.reps.append(super().prepare(model, device))
        return cls.reps[-1]


def suite() -> dict[str, unittest.TestCase]:
    """All cases of onnx.backend.test for the CPU, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the suite's own arithmetic
        from onnx.backend.test import BackendTest

        classes = BackendTest(Recorded, __name__).test_cases.values()
    return {
        name.removesuffix("_cpu"): case(name)
        for case in classes
        for name in dir(case)
        if name.startswith("test_") and name.endswith("_cpu")
    }


SUITE = suite()


def names(part: str) -> list[str]:
    return [name for kind in CASES[part].values() for name in kind]


def run(name: str) -> None:
    Recorded.reps.clear()
    try:
        SUITE[name].debug()
    except unittest.SkipTest as skipped:
        pytest.fail(f"skipped: {skipped}")
    assert Recorded.reps
    if name in ON_THE_ENGINE:
        assert [(rep.engine, rep.reason) for rep in Recorded.reps] == [("engine", "")]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the suite puts the data of its real models."""
    monkeypatch.setenv("ONNX_HOME", str(tmp_path))
    yield
    Recorded.reps.clear()


def test_the_lists_hold_what_they_say() -> None:
    core, full = names("core"), names("core") + names("full")
    assert len(set(core)) == 252
    assert len(set(full)) == 496
    assert set(full) | set(names("other_ranks")) >= ON_THE_ENGINE


@pytest.mark.parametrize("name", names("core"))
def test_core_case(name: str) -> None:
    run(name)


@pytest.mark.parametrize("name", names("full"))
def test_full_case(name: str) -> None:
    run(name)


@pytest.mark.parametrize("name", names("other_ranks"))
def test_case_of_another_rank(name: str) -> None:
    run(name)


def test_a_single_node_runs_on_the_engine() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5), np.float32)
    w = np.ones((4, 3, 3, 3), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    Recorded.reps.clear()
    (y,) = Recorded.run_node(node, [x, w])
    assert Recorded.reps[0].engine == "engine"
    assert y.shape == (2, 4, 3, 3)
    np.testing.assert_allclose(y[0, 0, 0, 0], x[0, :, :3, :3].sum(), rtol=1e-4)


def test_what_is_no_network_says_why_it_is_folded() -> None:
    node = helper.make_node("Sin", ["x"], ["y"])
    Recorded.reps.clear()
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(Recorded.run_node(node, [x])[0], np.sin(x))
    assert Recorded.reps[0].engine == "fold"
    assert "Sin 'y'" in Recorded.reps[0].reason


def test_new_weights_are_not_mixed_up_with_old_ones() -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    x = np.ones((2, 3), np.float32)
    infos = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, 3]) for name in ("x", "w")
    ]
    graph = helper.make_graph([node], "gemm", infos, [onnx.ValueInfoProto(name="y")])
    rep = HpmpBackend.prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]))
    for factor in (1, 2):
        np.testing.assert_allclose(rep.run([x, factor * x])[0], np.full((2, 2), 3 * factor))
        assert rep.engine == "engine"


def test_a_missing_device_and_missing_inputs_are_named() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "relu",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2])],
        [onnx.ValueInfoProto(name="y")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    assert not HpmpBackend.supports_device("CUDA")
    with pytest.raises(InvalidArgumentError, match="device 'CUDA' is not supported"):
        HpmpBackend.prepare(model, "CUDA")
    with pytest.raises(InvalidArgumentError, match="0 inputs are given, the model has 1: x"):
        HpmpBackend.prepare(model).run([])
