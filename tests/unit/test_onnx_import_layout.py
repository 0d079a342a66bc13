"""Transposed maps, sequences and masks import to what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import (
    Case,
    assert_exported_same,
    assert_imported_same,
    assert_same,
    images_for,
    ints,
    make_model,
    normals,
    number,
    run_onnx,
    run_oracle,
)

import onnx_import

RNG = np.random.default_rng(13)
weight = normals(RNG)
NHWC, NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


def transposed(
    *nodes: onnx.NodeProto, back: list[int] = NCHW, perm: list[int] = NHWC, **weights: np.ndarray
) -> onnx.ModelProto:
    """Nodes from `t` to `u` between two transpositions."""
    first = make_node("Transpose", ["x"], ["t"], perm=perm)
    last = make_node("Transpose", ["u"], ["y"], perm=back)
    return make_model([first, *nodes, last], weights, shape=("N", 4, 6, 5))


def convnext() -> onnx.ModelProto:
    """A block of ConvNeXt: its channels are mixed by matrix products, layer scale at the end."""
    nodes = [
        make_node("Conv", ["x", "dw"], ["c"], group=4, pads=[1] * 4),
        make_node("Transpose", ["c"], ["t"], perm=NHWC),
        make_node("LayerNormalization", ["t", "s", "b"], ["n"], axis=-1, epsilon=1e-3),
        make_node("MatMul", ["n", "w1"], ["m1"]),
        make_node("Add", ["b1", "m1"], ["a1"]),
        make_node("Gelu", ["a1"], ["g"]),
        make_node("MatMul", ["g", "w2"], ["m2"]),
        make_node("Add", ["m2", "b2"], ["a2"]),
        make_node("Transpose", ["a2"], ["back"], perm=NCHW),
        make_node("Mul", ["scale", "back"], ["scaled"]),
        make_node("Add", ["scaled", "x"], ["y"]),
    ]
    weights = {"dw": weight(4, 1, 3, 3), "s": weight(4), "b": weight(4), "w1": weight(4, 9)}
    weights |= {"b1": weight(9), "w2": weight(9, 4), "b2": weight(4), "scale": weight(4, 1, 1)}
    return make_model(nodes, weights)


def lined() -> onnx.ModelProto:
    """torch's as_strided of a pooled map: all elements gathered from one dimension."""
    nodes = [
        make_node("GlobalAveragePool", ["x"], ["p"]),
        make_node("Reshape", ["p", "line"], ["l"]),
        make_node("Shape", ["x"], ["n"], start=0, end=1),
        make_node("Squeeze", ["n"], ["n0"]),
        make_node("Range", ["zero", "n0", "one"], ["samples"]),
        make_node("Mul", ["samples", "four"], ["starts"]),
        make_node("Unsqueeze", ["starts", "axes"], ["column"]),
        make_node("Add", ["column", "channels"], ["all"]),
        make_node("Gather", ["l", "all"], ["g"], axis=0),
        make_node("Relu", ["g"], ["y"]),
    ]
    weights = {"line": ints(-1), "axes": ints(1, 2, 3)}
    weights |= {name: np.array(i, np.int64) for name, i in (("zero", 0), ("one", 1), ("four", 4))}
    return make_model(nodes, weights | {"channels": np.arange(4).reshape(1, 4, 1, 1)})


def sequence(split: np.ndarray, *positions: int) -> onnx.ModelProto:
    nodes = [make_node("SplitToSequence", ["x", "split"], ["s"], axis=1)]
    for position in positions:
        nodes.append(make_node("SequenceAt", ["s", f"p{position}"], [f"y{position}"]))
    weights = {f"p{p}": np.array(p, np.int64) for p in positions} | {"split": split}
    outputs = [f"y{p}" for p in positions]
    return make_model(nodes, weights, shape=("N", 5, 3, 3), outputs=outputs)


CASES: dict[str, Case] = {
    "a block of ConvNeXt": convnext,
    "layer norm with channels last": lambda: transposed(
        make_node("LayerNormalization", ["t", "s", "b"], ["u"]), s=weight(4), b=weight(4)
    ),
    "layer norm without a shift": lambda: transposed(
        make_node("LayerNormalization", ["t", "s"], ["u"], axis=3), s=weight(4)
    ),
    "layer norm of features": lambda: make_model(
        [
            make_node("Flatten", ["x"], ["f"]),
            make_node("LayerNormalization", ["f", "s", "b"], ["y"]),
        ],
        {"s": weight(144), "b": weight(144)},
    ),
    "layer norm of pooled channels": lambda: make_model(
        [
            make_node("GlobalAveragePool", ["x"], ["p"]),
            make_node("Transpose", ["p"], ["t"], perm=NHWC),
            make_node("LayerNormalization", ["t", "s", "b"], ["n"]),
            make_node("Transpose", ["n"], ["u"], perm=NCHW),
            make_node("Flatten", ["u"], ["f"]),
            make_node("Gemm", ["f", "w"], ["y"]),
        ],
        {"s": weight(4), "b": weight(4), "w": weight(4, 3)},
    ),
    "height and width exchanged and back": lambda: transposed(
        make_node("Sigmoid", ["t"], ["u"]), perm=[0, 1, 3, 2], back=[0, 1, 3, 2]
    ),
    "constants along the last axis": lambda: transposed(
        make_node("Mul", ["t", "k"], ["m"]),
        make_node("Add", ["c", "m"], ["a"]),
        make_node("PRelu", ["a", "s"], ["u"]),
        k=weight(4), c=weight(1, 1, 4), s=weight(4),
    ),
    "a number and transposed maps": lambda: transposed(
        make_node("Mul", ["t", "k"], ["m"]), make_node("Sub", ["t", "m"], ["u"]), k=number(0.3)
    ),
    "matrix without a bias": lambda: transposed(make_node("MatMul", ["t", "w"], ["u"]),
                                                w=weight(4, 7)),
    "softmax of the last axis": lambda: transposed(make_node("Softmax", ["t"], ["u"])),
    "concat and split of the last axis": lambda: transposed(
        make_node("Relu", ["t"], ["r"]),
        make_node("Concat", ["t", "r"], ["c"], axis=-1),
        make_node("Split", ["c", "sizes"], ["a", "b"], axis=3),
        make_node("Slice", ["b", "from", "to", "axes"], ["u"]),
        **{"sizes": ints(3, 5), "from": ints(1), "to": ints(4), "axes": ints(3)},
    ),
    "mean of transposed maps": lambda: make_model(
        [
            make_node("Transpose", ["x"], ["t"], perm=NHWC),
            make_node("ReduceMean", ["t", "axes"], ["m"], keepdims=0),
            make_node("Gemm", ["m", "w"], ["y"]),
        ],
        {"axes": ints(1, 2), "w": weight(4, 3)},
    ),
    "a gate in channels last": lambda: transposed(
        make_node("ReduceMean", ["t", "axes"], ["p"]),
        make_node("Sigmoid", ["p"], ["g"]),
        make_node("Mul", ["t", "g"], ["u"]),
        axes=ints(1, 2),
    ),
    "all elements gathered from one dimension": lined,
    "parts of equal sizes": lambda: sequence(np.array(2, np.int64), 0, 1, -1),
    "parts of given sizes": lambda: sequence(ints(1, 4), 1, 0),
    "largest of the map": lambda: make_model([make_node("GlobalMaxPool", ["x"], ["y"])]),
    "largest of the map by reduction": lambda: make_model(
        [make_node("ReduceMax", ["x", "axes"], ["y"])], {"axes": ints(2, 3)}
    ),
    "sum of the map": lambda: make_model(
        [make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)], {"axes": ints(-2, -1)}
    ),
    "mean of rows": lambda: make_model(
        [make_node("ReduceMean", ["x", "axes"], ["y"])], {"axes": ints(2)}, shape=("N", 4, 6, 5)
    ),
    "sum of columns, the axis dropped": lambda: make_model(
        [
            make_node("ReduceSum", ["x", "axes"], ["s"], keepdims=0),
            make_node("Flatten", ["s"], ["f"]),
            make_node("Gemm", ["f", "w"], ["y"]),
        ],
        {"axes": ints(3), "w": weight(24, 3)}, shape=("N", 4, 6, 5),
    ),
    "largest of transposed columns": lambda: transposed(
        make_node("ReduceMax", ["t", "axes"], ["u"]), axes=ints(2)
    ),
    "log softmax": lambda: make_model([make_node("LogSoftmax", ["x"], ["y"], axis=1)]),
    "log softmax of features": lambda: make_model(
        [make_node("Flatten", ["x"], ["f"]), make_node("LogSoftmax", ["f"], ["y"])]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_imported_graph_computes_what_onnxruntime_computes(name: str) -> None:
    assert_imported_same(CASES[name]())


@pytest.mark.parametrize("name", CASES)
def test_exported_model_has_the_given_weights(name: str, tmp_path: Path) -> None:
    assert_exported_same(CASES[name](), tmp_path / "out.onnx")


def test_a_transposed_weight_keeps_its_name() -> None:
    nodes = [
        make_node("Transpose", ["linear.weight"], ["moved"], perm=[1, 0]),
        make_node("MatMul", ["t", "moved"], ["u"]),
    ]
    imported = onnx_import.load(transposed(*nodes, **{"linear.weight": weight(7, 4)}))
    assert imported.params["linear.weight"].shape == (7, 4, 1, 1)


def test_transpositions_and_biases_leave_no_nodes() -> None:
    lines = onnx_import.load(convnext()).graph_text.splitlines()
    ops = [line.split()[1] for line in lines if line.startswith("node")]
    assert ops == ["Conv", "LayerNormalization", "Conv", "Gelu", "Conv", "Affine", "Add"]


def test_a_conv_that_is_read_before_its_bias_is_added_keeps_its_values() -> None:
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=NHWC),
        make_node("MatMul", ["t", "w"], ["m"]),
        make_node("Add", ["m", "b"], ["a"]),
        make_node("Mul", ["m", "a"], ["u"]),
        make_node("Transpose", ["u"], ["y"], perm=NCHW),
    ]
    model = make_model(nodes, {"w": weight(4, 3), "b": weight(3)})
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert_same(run_oracle(imported, images), run_onnx(model, images))


def depth(kept: float, source: str, *, scaled_by: float | None = None) -> onnx.ModelProto:
    """Stochastic depth as the older exporter spells it out, or by Bernoulli numbers."""
    nodes = [
        make_node("Shape", ["x"], ["n"], start=0, end=1),
        make_node("Concat", ["n", "ones"], ["shape"], axis=0),
        make_node("ConstantOfShape", ["shape"], ["z"], value=fill(kept)),
    ]
    if source == "uniform":
        nodes.append(make_node("RandomUniformLike", ["z"], ["r"], dtype=1))
        nodes.append(make_node("Less", ["r", "kept"], ["l"]))
        nodes.append(make_node("Cast", ["l"], ["m"], to=1))
    else:
        nodes.append(make_node("Bernoulli", ["z"], ["m"]))
    nodes.append(make_node("Div", ["m", "by"], ["d"]))
    nodes.append(make_node("Mul", ["x", "d"], ["y"]))
    by = number(kept if scaled_by is None else scaled_by)
    return make_model(nodes, {"ones": ints(1, 1, 1), "kept": number(kept), "by": by})


def fill(value: float) -> onnx.TensorProto:
    return onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [value])


@pytest.mark.parametrize("source", ["uniform", "bernoulli"])
def test_a_random_mask_of_samples_is_dropout_and_none_in_the_exported_model(
    source: str, tmp_path: Path
) -> None:
    imported = onnx_import.load(depth(0.75, source))
    assert "node Dropout y : x : : y ratio=0.25 per_sample=1\n" in imported.graph_text
    onnx_import.export(imported, imported.params, tmp_path / "out.onnx")
    images = images_for(imported)
    assert_same([images], run_onnx(tmp_path / "out.onnx", images))


def test_a_random_mask_that_changes_the_mean_is_refused() -> None:
    with pytest.raises(onnx_import.ModelError, match="must keep the mean"):
        onnx_import.load(depth(0.75, "uniform", scaled_by=0.5))
