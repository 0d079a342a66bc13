"""Every operator form imports to a graph that computes what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
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
    run_onnx,
    run_oracle,
)

import onnx_import

RNG = np.random.default_rng(7)
weight = normals(RNG)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2, shape).astype(np.float32)


def conv(**attributes: object) -> onnx.ModelProto:
    groups = int(str(attributes.get("group", 1)))
    weights = {"w": weight(6, 4 // groups, 3, 3), "b": weight(6)}
    return make_model([make_node("Conv", ["x", "w", "b"], ["y"], **attributes)], weights)


def pool(op: str, opset: int = 21, size: int = 7, **attributes: object) -> onnx.ModelProto:
    node = make_node(op, ["x"], ["y"], **attributes)
    return make_model([node], shape=("N", 3, size, size), opset=opset)


def gemm(shape: tuple[int, int], bias: np.ndarray | None, **attributes: object) -> onnx.ModelProto:
    weights = {"w": weight(*shape)} | ({} if bias is None else {"b": bias})
    nodes = [
        make_node("Flatten", ["x"], ["f"]),
        make_node("Gemm", ["f", *weights], ["y"], **attributes),
    ]
    return make_model(nodes, weights, shape=("N", 2, 3, 3))


def matmul(bias_first: bool) -> onnx.ModelProto:
    operands = ["b", "m"] if bias_first else ["m", "b"]
    nodes = [
        make_node("Flatten", ["x"], ["f"]),
        make_node("MatMul", ["f", "w"], ["m"]),
        make_node("Add", operands, ["y"]),
    ]
    return make_model(nodes, {"w": weight(18, 5), "b": weight(5)}, shape=("N", 2, 3, 3))


def binary(op: str, constant: np.ndarray, *, left: bool = False) -> onnx.ModelProto:
    node = make_node(op, ["c", "x"] if left else ["x", "c"], ["y"])
    return make_model([node], {"c": constant})


def chain(
    *nodes: onnx.NodeProto, shape: tuple[int | str, ...] = ("N", 4, 6, 6), **weights: np.ndarray
) -> onnx.ModelProto:
    return make_model(nodes, weights, shape=shape)


def clip(**bounds: float) -> onnx.ModelProto:
    """A Clip with the given bounds as inputs; an input that stands last is left out."""
    names = ["min" if "min" in bounds else "", "max" if "max" in bounds else ""]
    while names and not names[-1]:
        names.pop()
    constants = {name: np.array(bound, np.float32) for name, bound in bounds.items()}
    return make_model([make_node("Clip", ["x", *names], ["y"])], constants)


def number(value: float) -> onnx.TensorProto:
    return helper.make_tensor("value", TensorProto.FLOAT, [], [value])


def batch_norm(opset: int, **attributes: object) -> onnx.ModelProto:
    weights = {"s": weight(4), "b": weight(4), "m": weight(4), "v": positive(4)}
    node = make_node("BatchNormalization", ["x", *weights], ["y"], epsilon=0.01, **attributes)
    return make_model([node], weights, opset=opset)


def shape_arithmetic() -> onnx.ModelProto:
    """x.view(x.size(0), -1) as the older exporter writes it."""
    return chain(
        make_node("Shape", ["x"], ["s"]),
        make_node("Gather", ["s", "zero"], ["n"]),
        make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        make_node("Reshape", ["x", "target"], ["f"]),
        make_node("Gemm", ["f", "w"], ["y"], transB=1),
        zero=np.array(0, np.int64),
        axis=ints(0),
        rest=ints(-1),
        w=weight(5, 144),
    )


def shuffle(*middle: int) -> onnx.ModelProto:
    """Channel shuffle with two groups, the map kept apart or flat."""
    perm = [0, 2, 1, *range(3, 3 + len(middle))]
    return chain(
        make_node("Reshape", ["x", "apart"], ["a"]),
        make_node("Transpose", ["a"], ["t"], perm=perm),
        make_node("Reshape", ["t", "together"], ["y"]),
        apart=ints(-1, 2, 3, *middle),
        together=ints(-1, 6, 4, 4),
        shape=("N", 6, 4, 4),
    )


def function_call() -> onnx.ModelProto:
    body = [make_node("Mul", ["a", "a_scale"], ["m"]), make_node("Relu", ["m"], ["r"])]
    function = helper.make_function(
        "local", "Scaled", ["a", "a_scale"], ["r"], body, [helper.make_opsetid("", 21)]
    )
    node = make_node("Scaled", ["x", "c"], ["y"], domain="local", name="call")
    return make_model([node], {"c": weight(4, 1, 1)}, functions=[function])


def fill(value: float) -> onnx.TensorProto:
    return helper.make_tensor("value", TensorProto.FLOAT, [1], [value])


CASES: dict[str, Case] = {
    "conv": lambda: conv(),
    "conv with strides and uneven pads": lambda: conv(strides=[2, 1], pads=[0, 1, 2, 1]),
    "conv with dilations and groups": lambda: conv(dilations=[2, 2], group=2, pads=[2] * 4),
    "conv with auto_pad SAME_UPPER": lambda: conv(auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv with auto_pad SAME_LOWER": lambda: conv(auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv with auto_pad VALID": lambda: conv(auto_pad="VALID"),
    "max pool with ceil_mode": lambda: pool(
        "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, pads=[1, 1, 1, 1], size=8
    ),
    "max pool whose last window would start in the pad": lambda: pool(
        "MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, pads=[1, 1, 1, 1], size=7
    ),
    "max pool with auto_pad": lambda: pool(
        "MaxPool", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "average pool without the pads": lambda: pool(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "average pool with the pads": lambda: pool(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 2], count_include_pad=1
    ),
    "average pool with ceil_mode": lambda: pool(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, size=8
    ),
    "average pool with the pads and ceil_mode": lambda: pool(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1,
        count_include_pad=1, size=8,
    ),
    "average pool of one pixel": lambda: pool("AveragePool", kernel_shape=[1, 1]),
    "pool of opset 9": lambda: pool("AveragePool", opset=9, kernel_shape=[2, 2], strides=[2, 2]),
    "global average pool": lambda: pool("GlobalAveragePool"),
    "mean over the map": lambda: chain(
        make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0), axes=ints(-1, -2)
    ),
    "mean over the map, dimensions kept": lambda: chain(
        make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1), axes=ints(2, 3)
    ),
    "gemm with transB": lambda: gemm((5, 18), weight(5), transB=1),
    "gemm without transB": lambda: gemm((18, 5), weight(1, 5)),
    "gemm with alpha and beta": lambda: gemm((18, 5), weight(5), alpha=0.5, beta=-2.0),
    "gemm with one bias for all": lambda: gemm((18, 5), weight(1)),
    "gemm without bias": lambda: gemm((5, 18), None, transB=1),
    "gemm with beta zero": lambda: gemm((5, 18), weight(5), transB=1, beta=0.0),
    "matmul and add": lambda: matmul(False),
    "matmul and add, bias first": lambda: matmul(True),
    "channels times a constant": lambda: binary("Mul", weight(4, 1, 1)),
    "a constant times channels": lambda: binary("Mul", weight(1, 4, 1, 1), left=True),
    "channels plus a constant": lambda: binary("Add", weight(4, 1, 1)),
    "channels minus a constant": lambda: binary("Sub", weight(4, 1, 1)),
    "channels over a constant": lambda: binary("Div", positive(4, 1, 1)),
    "everything over a number": lambda: binary("Div", np.array(3.0, np.float32)),
    "sum of three": lambda: chain(
        make_node("Relu", ["x"], ["r"]), make_node("Sum", ["x", "r", "x"], ["y"])
    ),
    "sum of one": lambda: chain(make_node("Sum", ["x"], ["s"]), make_node("Relu", ["s"], ["y"])),
    "concat of channels": lambda: chain(
        make_node("Relu", ["x"], ["r"]), make_node("Concat", ["x", "r", "x"], ["y"], axis=-3)
    ),
    "concat of features": lambda: chain(
        make_node("Relu", ["x"], ["r"]),
        make_node("Flatten", ["r"], ["f"]),
        make_node("Flatten", ["x"], ["g"]),
        make_node("Concat", ["f", "g"], ["y"], axis=1),
    ),
    "split into named sizes": lambda: make_model(
        [make_node("Split", ["x", "sizes"], ["y", "z"], axis=1)],
        {"sizes": ints(1, 3)},
        outputs=("z", "y"),
    ),
    "split into uneven parts": lambda: make_model(
        [make_node("Split", ["x"], ["a", "b", "c"], axis=1, num_outputs=3)],
        shape=("N", 5, 2, 2),
        outputs=("a", "b", "c"),
    ),
    "slice of channels from the end": lambda: chain(
        make_node("Slice", ["x", "from", "to", "axes"], ["y"]),
        **{"from": ints(-3, 0), "to": ints(9, 6), "axes": ints(1, 2)},
    ),
    "one channel gathered": lambda: chain(
        make_node("Gather", ["x", "i"], ["c"], axis=1),
        make_node("Unsqueeze", ["c", "axes"], ["u"]),
        make_node("Mul", ["u", "k"], ["y"]),
        i=np.array(2, np.int64), axes=ints(1), k=np.array(0.5, np.float32),
    ),
    "channel shuffle": lambda: shuffle(4, 4),
    "channel shuffle of flat maps": lambda: shuffle(16),
    "flatten": lambda: chain(make_node("Flatten", ["x"], ["y"], axis=-3)),
    "reshape with zero and minus one": lambda: chain(
        make_node("Reshape", ["x", "t"], ["y"]), t=ints(0, -1)
    ),
    "reshape with a dynamic batch": lambda: chain(
        make_node("Reshape", ["x", "t"], ["y"]), t=ints(-1, 144)
    ),
    "shape arithmetic": shape_arithmetic,
    "squeeze and unsqueeze": lambda: chain(
        make_node("GlobalAveragePool", ["x"], ["g"]),
        make_node("Squeeze", ["g", "axes"], ["s"]),
        make_node("Unsqueeze", ["s", "axes"], ["u"]),
        make_node("Conv", ["u", "w"], ["y"]),
        axes=ints(2, 3), w=weight(3, 4, 1, 1),
    ),
    "relu between flatten and a dense layer": lambda: chain(
        make_node("Flatten", ["x"], ["f"]),
        make_node("Relu", ["f"], ["r"]),
        make_node("Gemm", ["r", "w"], ["y"]),
        w=weight(144, 3),
    ),
    "clip between two bounds": lambda: clip(min=-0.25, max=0.5),
    "clip from below": lambda: clip(min=-0.25),
    "clip from above": lambda: clip(max=0.5),
    "clip without bounds": lambda: clip(),
    "clip of opset 6": lambda: make_model(
        [make_node("Clip", ["x"], ["y"], min=-0.25, max=0.5)], opset=6
    ),
    "clip of opset 6 from below": lambda: make_model(
        [make_node("Clip", ["x"], ["y"], min=-0.25)], opset=6
    ),
    "clip of opset 11 with constant nodes": lambda: make_model(
        [
            make_node("Constant", [], ["low"], value=number(0.0)),
            make_node("Constant", [], ["high"], value=number(0.75)),
            make_node("Clip", ["x", "low", "high"], ["y"]),
        ],
        opset=11,
    ),
    "clip between flatten and a dense layer": lambda: chain(
        make_node("Flatten", ["x"], ["f"]),
        make_node("Clip", ["f", "low"], ["c"]),
        make_node("Gemm", ["c", "w"], ["y"]),
        low=np.array(0.5, np.float32), w=weight(144, 3),
    ),
    "lrn": lambda: chain(make_node("LRN", ["x"], ["y"], size=3, alpha=0.3, beta=0.6, bias=1.5)),
    "softmax of features": lambda: chain(
        make_node("Flatten", ["x"], ["f"]), make_node("Softmax", ["f"], ["y"])
    ),
    "softmax of opset 9 on pixels": lambda: make_model(
        [make_node("GlobalAveragePool", ["x"], ["g"]), make_node("Softmax", ["g"], ["y"])], opset=9
    ),
    "dropout of opset 10": lambda: make_model(
        [make_node("Dropout", ["x"], ["y"], ratio=0.3)], opset=10
    ),
    "batch-norm": lambda: batch_norm(21),
    "batch-norm of opset 9": lambda: batch_norm(9),
    "batch-norm of features": lambda: chain(
        make_node("Flatten", ["x"], ["f"]),
        make_node("BatchNormalization", ["f", "s", "b", "m", "v"], ["y"]),
        s=weight(144), b=weight(144), m=weight(144), v=positive(144),
    ),
    "weights from an identity": lambda: chain(
        make_node("Identity", ["w"], ["w2"]), make_node("Conv", ["x", "w2"], ["y"]),
        w=weight(3, 4, 1, 1),
    ),
    "weights from a fill": lambda: chain(
        make_node("ConstantOfShape", ["s"], ["w"], value=fill(0.02)),
        make_node("Conv", ["x", "w"], ["y"]),
        s=ints(3, 4, 2, 2),
    ),
    "weights transposed by the graph": lambda: chain(
        make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        make_node("Flatten", ["x"], ["f"]),
        make_node("MatMul", ["f", "t"], ["y"]),
        w=weight(3, 144),
    ),
    "identity to two outputs": lambda: make_model(
        [make_node("Relu", ["x"], ["r"]), make_node("Identity", ["r"], ["z"]),
         make_node("Identity", ["r"], ["y"])],
        outputs=("y", "z"),
    ),
    "lines": lambda: chain(
        make_node("Conv", ["x", "w", "k"], ["c"], pads=[2, 1], strides=[2], dilations=[2]),
        make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
        make_node("MaxPool", ["n"], ["p"], kernel_shape=[3], strides=[2], auto_pad="SAME_UPPER"),
        make_node("AveragePool", ["p"], ["a"], kernel_shape=[2], ceil_mode=1),
        make_node("GlobalAveragePool", ["a"], ["g"]),
        make_node("Flatten", ["g"], ["f"]),
        make_node("Gemm", ["f", "d"], ["y"]),
        w=weight(6, 4, 3), k=weight(6), s=weight(6), b=weight(6), m=weight(6), v=positive(6),
        d=weight(6, 3), shape=("N", 4, 25),
    ),
    "lines as the rows of maps": lambda: chain(
        make_node("Unsqueeze", ["x", "two"], ["u"]),
        make_node("AveragePool", ["u"], ["p"], kernel_shape=[1, 3]),
        make_node("Squeeze", ["p", "two"], ["y"]),
        two=ints(2), shape=("N", 4, 25),
    ),
    "a function of the model": function_call,
    "two dense inputs": lambda: chain(
        make_node("Gemm", ["x", "w"], ["h"]), make_node("Relu", ["h"], ["y"]),
        w=weight(7, 3), shape=("N", 7),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_imported_graph_computes_what_onnxruntime_computes(name: str) -> None:
    assert_imported_same(CASES[name]())


@pytest.mark.parametrize("name", CASES)
def test_exported_model_has_the_given_weights(name: str, tmp_path: Path) -> None:
    assert_exported_same(CASES[name](), tmp_path / "out.onnx")


def test_fixed_batch_of_the_file_is_ignored() -> None:
    nodes = [
        make_node("Reshape", ["x", "t"], ["f"]),
        make_node("Gemm", ["f", "w"], ["y"], transB=1),
    ]
    model = make_model(nodes, {"t": ints(2, 144), "w": weight(5, 144)}, shape=(2, 4, 6, 6))
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert len(images) == 2
    assert_same(run_oracle(imported, images), run_onnx(model, images))
    assert run_oracle(imported, images[:1])[0].shape == (1, 5, 1, 1)


def test_training_forms_import_as_the_inference_forms_do() -> None:
    names = ["s", "b", "m", "v"]
    weights = {name: positive(4) for name in names}
    weights |= {"ratio": np.array(0.25, np.float32), "on": np.array(True)}
    outputs = ["n", "new_mean", "new_var"]
    nodes = [
        make_node("BatchNormalization", ["x", *names], outputs, training_mode=1, momentum=0.8),
        make_node("Dropout", ["n", "ratio", "on"], ["y", "mask"]),
    ]
    text = onnx_import.load(make_model(nodes, weights)).graph_text
    assert "node BatchNormalization n : x : s b m v : n momentum=0.8\n" in text
    assert "node Dropout y : n : : y ratio=0.25\n" in text


def test_unused_branches_do_not_matter() -> None:
    nodes = [make_node("Relu", ["x"], ["y"]), make_node("Sin", ["x"], ["unused"])]
    assert "Sin" not in onnx_import.load(make_model(nodes)).graph_text


def test_a_newer_opset_reads_like_opset_21() -> None:
    model = make_model([make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2])], opset=23)
    assert onnx_import.load(model).template.opset_import[0].version == 21


def test_names_are_quoted_where_the_text_needs_it() -> None:
    node = make_node("Relu", ["x"], ["y"], name='a "b" : c\nd')
    text = onnx_import.load(make_model([node])).graph_text
    assert 'node Relu "a \\"b\\" : c\\nd" : x : : y\n' in text
