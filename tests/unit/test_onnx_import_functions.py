"""Functions and arithmetic of activations import to a graph that computes what onnxruntime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import (
    Case,
    assert_imported_same,
    assert_same,
    images_for,
    make_model,
    normals,
    number,
    run_onnx,
    run_oracle,
)

import onnx_import

RNG = np.random.default_rng(11)
weight = normals(RNG)


def function(op: str, *constants: np.ndarray, **attributes: object) -> onnx.ModelProto:
    names = [f"c{i}" for i in range(len(constants))]
    node = make_node(op, ["x", *names], ["y"], **attributes)
    return make_model([node], dict(zip(names, constants, strict=True)))


def of_positive(op: str, *constants: np.ndarray) -> onnx.ModelProto:
    """The function of exp(x)."""
    model = function(op, *constants)
    model.graph.node.insert(0, make_node("Exp", ["x"], ["e"]))
    model.graph.node[1].input[0] = "e"
    return model


def of_features(op: str, *constants: np.ndarray) -> onnx.ModelProto:
    """The function between Flatten and a dense layer."""
    names = [f"c{i}" for i in range(len(constants))]
    nodes = [
        make_node("Flatten", ["x"], ["f"]),
        make_node(op, ["f", *names], ["g"]),
        make_node("Gemm", ["g", "w"], ["y"]),
    ]
    weights = dict(zip(names, constants, strict=True)) | {"w": weight(144, 3)}
    return make_model(nodes, weights)


def two(op: str, *, opset: int = 21) -> onnx.ModelProto:
    """The operator of a map and twice its sigmoid."""
    nodes = [
        make_node("Sigmoid", ["x"], ["s"]),
        make_node("Add", ["s", "s"], ["t"]),
        make_node(op, ["x", "t"], ["y"]),
    ]
    return make_model(nodes, opset=opset)


def gated(first: bool) -> onnx.ModelProto:
    """Squeeze and excitation."""
    nodes = [
        make_node("GlobalAveragePool", ["x"], ["p"]),
        make_node("Conv", ["p", "w"], ["c"]),
        make_node("Sigmoid", ["c"], ["s"]),
        make_node("Mul", ["s", "x"] if first else ["x", "s"], ["y"]),
    ]
    return make_model(nodes, {"w": weight(4, 4, 1, 1)})


def left_of(op: str, value: np.ndarray) -> onnx.ModelProto:
    """A constant before the operator, exp(x) behind it."""
    nodes = [make_node("Exp", ["x"], ["e"]), make_node(op, ["c", "e"], ["y"])]
    return make_model(nodes, {"c": value})


PLAIN = ("Sigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish", "Erf", "Exp", "Abs", "Neg")
CASES: dict[str, Case] = {
    **{op: lambda op=op: function(op) for op in PLAIN},  # type: ignore[misc]
    **{op: lambda op=op: of_positive(op) for op in ("Log", "Sqrt", "Reciprocal")},  # type: ignore[misc]
    "HardSigmoid": lambda: function("HardSigmoid"),
    "HardSigmoid with numbers": lambda: function("HardSigmoid", alpha=0.3, beta=0.25),
    "LeakyRelu": lambda: function("LeakyRelu"),
    "LeakyRelu with a number": lambda: function("LeakyRelu", alpha=0.3),
    "Elu": lambda: function("Elu"),
    "Elu with a number": lambda: function("Elu", alpha=0.5),
    "Selu": lambda: function("Selu"),
    "Selu with numbers": lambda: function("Selu", alpha=0.5, gamma=2.0),
    "Celu": lambda: function("Celu", alpha=2.0),
    "Gelu": lambda: function("Gelu"),
    "Gelu by tanh": lambda: function("Gelu", approximate="tanh"),
    "Pow of two": lambda: function("Pow", number(2)),
    "Pow of a half": lambda: of_positive("Pow", number(0.5)),
    "Pow of minus one": lambda: of_positive("Pow", number(-1)),
    "Pow of one": lambda: function("Pow", number(1)),
    "Pow of a fraction": lambda: of_positive("Pow", number(-1.5)),
    "PRelu per channel": lambda: function("PRelu", weight(4, 1, 1)),
    "PRelu with one slope": lambda: function("PRelu", weight(1, 1, 1)),
    "PRelu of features": lambda: of_features("PRelu", weight(144)),
    "Gelu of features": lambda: of_features("Gelu"),
    "maps multiplied": lambda: two("Mul"),
    "maps subtracted": lambda: two("Sub"),
    "maps divided": lambda: two("Div"),
    "greater of maps": lambda: two("Max"),
    "lesser of maps": lambda: two("Min"),
    "mean of maps": lambda: two("Mean"),
    "maps of opset 13 multiplied": lambda: two("Mul", opset=13),
    "channels scaled by a gate": lambda: gated(False),
    "a gate scaling channels": lambda: gated(True),
    "a map squared": lambda: make_model([make_node("Mul", ["x", "x"], ["y"])]),
    "greater of a map and a number": lambda: function("Max", number(0.25)),
    "lesser of a map and a number": lambda: function("Min", number(0.25)),
    "a constant minus channels": lambda: left_of("Sub", weight(4, 1, 1)),
    "a constant over channels": lambda: left_of("Div", weight(4, 1, 1)),
    "a number minus everything": lambda: left_of("Sub", number(1)),
    "x times its sigmoid": lambda: make_model(
        [make_node("Sigmoid", ["x"], ["s"]), make_node("Mul", ["x", "s"], ["y"])]
    ),
    "x times its sigmoid, which is an output, too": lambda: make_model(
        [make_node("Sigmoid", ["x"], ["s"]), make_node("Mul", ["s", "x"], ["y"])],
        outputs=("y", "s"),
    ),
    "x times its hard sigmoid": lambda: make_model(
        [
            make_node("HardSigmoid", ["x"], ["s"], alpha=1 / 6, beta=0.5),
            make_node("Mul", ["s", "x"], ["y"]),
        ]
    ),
    "x times another hard sigmoid": lambda: make_model(
        [make_node("HardSigmoid", ["x"], ["s"]), make_node("Mul", ["s", "x"], ["y"])]
    ),
    "x times tanh of softplus": lambda: make_model(
        [
            make_node("Softplus", ["x"], ["p"]),
            make_node("Tanh", ["p"], ["t"]),
            make_node("Mul", ["x", "t"], ["y"]),
        ]
    ),
    "x times its tanh": lambda: make_model(
        [make_node("Tanh", ["x"], ["t"]), make_node("Mul", ["x", "t"], ["y"])]
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_imported_graph_computes_what_onnxruntime_computes(name: str) -> None:
    assert_imported_same(CASES[name]())


@pytest.mark.parametrize("name", [name for name in CASES if "PRelu" in name or "constant" in name])
def test_exported_model_has_the_given_weights(name: str, tmp_path: Path) -> None:
    imported = onnx_import.load(CASES[name]())
    assert imported.bindings
    params = {p: array * np.float32(1.25) for p, array in imported.params.items()}
    onnx_import.export(imported, params, tmp_path / "out.onnx")
    images = images_for(imported)
    assert_same(run_oracle(imported, images, params), run_onnx(tmp_path / "out.onnx", images))


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("x times its sigmoid", "Silu"),
        ("x times its hard sigmoid", "HardSwish"),
        ("x times tanh of softplus", "Mish"),
    ],
)
def test_spelt_out_functions_become_one_node(name: str, op: str) -> None:
    lines = onnx_import.load(CASES[name]()).graph_text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("node")] == [op]


def test_a_dense_layer_that_is_read_before_its_bias_is_added_keeps_its_values() -> None:
    nodes = [
        make_node("Flatten", ["x"], ["f"]),
        make_node("MatMul", ["f", "w"], ["m"]),
        make_node("Identity", ["m"], ["i"]),
        make_node("Add", ["i", "b"], ["y"]),
    ]
    model = make_model(nodes, {"w": weight(144, 3), "b": weight(3)}, outputs=("y", "m"))
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert_same(run_oracle(imported, images), run_onnx(model, images))
