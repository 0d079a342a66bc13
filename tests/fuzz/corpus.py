"""Small valid models, between them of every operator that the importer converts or folds."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.helper import make_node

_RANDOM = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return _RANDOM.standard_normal(shape, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def model(
    nodes: list[onnx.NodeProto], opset: int = 21, shape: tuple[str | int, ...] = ("N", 4, 6, 6),
    functions: tuple[onnx.FunctionProto, ...] = (), **weights: np.ndarray,
) -> onnx.ModelProto:  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    made = helper.make_model(graph, opset_imports=imports, functions=functions)
    made.ir_version = 10
    return made


def classifier() -> onnx.ModelProto:
    nodes = [
        make_node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        make_node("BatchNormalization", ["c", "s", "h", "m", "v"], ["n"], epsilon=1e-3),
        make_node("Clip", ["n", "low", "high"], ["r"]),
        make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        make_node("Conv", ["p", "d"], ["q"], group=4, auto_pad="SAME_UPPER"),
        make_node("Add", ["p", "q"], ["a"]),
        make_node("GlobalAveragePool", ["a"], ["g"]),
        make_node("Flatten", ["g"], ["f"]),
        make_node("Dropout", ["f", "ratio"], ["o"]),
        make_node("Gemm", ["o", "k", "l"], ["y"], transB=1),
    ]
    return model(
        nodes, w=weight(4, 4, 3, 3), b=weight(4), s=weight(4), h=weight(4), m=weight(4),
        v=abs(weight(4)), low=np.float32(0), high=np.float32(6), d=weight(4, 1, 3, 3),
        ratio=np.float32(0.5), k=weight(5, 4), l=weight(5),
    )  # fmt: skip


def shapes() -> onnx.ModelProto:
    """A reshape whose target is computed, and weights computed from weights."""
    nodes = [
        make_node("Shape", ["x"], ["s"]),
        make_node("Gather", ["s", "zero"], ["n"]),
        make_node("Unsqueeze", ["n", "zeros"], ["u"]),
        make_node("Concat", ["u", "rest"], ["t"], axis=0),
        make_node("Reshape", ["x", "t"], ["f"]),
        make_node("ConstantOfShape", ["size"], ["fill"]),
        make_node("Expand", ["one", "size"], ["e"]),
        make_node("Where", ["mask", "fill", "e"], ["w"]),
        make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        make_node("Cast", ["wt"], ["wc"], to=TensorProto.FLOAT),
        make_node("MatMul", ["f", "wc"], ["y"]),
    ]
    return model(
        nodes, zero=np.array(0), zeros=ints(0), rest=ints(-1), size=ints(3, 144),
        one=weight(1, 144), mask=np.array([[True], [False], [True]]),
    )  # fmt: skip


def branches() -> onnx.ModelProto:
    nodes = [
        make_node("Split", ["x", "halves"], ["p", "q"], axis=1),
        make_node("Concat", ["q", "p"], ["c"], axis=1),
        make_node("Reshape", ["c", "grouped"], ["d"]),
        make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1, 3, 4]),
        make_node("Reshape", ["e", "back"], ["f"]),
        make_node("LRN", ["f"], ["l"], size=3),
        make_node("AveragePool", ["l"], ["a"], kernel_shape=[3, 3], count_include_pad=1,
                  pads=[1, 1, 1, 1]),
        make_node("ReduceMean", ["a", "space"], ["m"]),
        make_node("Sigmoid", ["m"], ["g"]),
        make_node("Mul", ["a", "g"], ["h"]),
        make_node("Slice", ["h", "from", "to", "one"], ["i"]),
        make_node("Softmax", ["i"], ["y"], axis=1),
    ]  # fmt: skip
    constants = {"halves": ints(1, 3), "grouped": ints(0, 2, 2, 6, 6), "back": ints(0, 4, 6, 6)}
    constants |= {"space": ints(2, 3), "from": ints(1), "to": ints(9), "one": ints(1)}
    return model(nodes, **constants)


def functions() -> onnx.ModelProto:
    opset = [helper.make_opsetid("", 21)]
    body = [make_node("Relu", ["a"], ["b"]), make_node("Add", ["a", "b"], ["c"])]
    function = helper.make_function("local", "twice", ["a"], ["c"], body, opset)
    node = make_node("twice", ["x"], ["y"], domain="local")
    return model([node], functions=(function,))


def lines() -> onnx.ModelProto:
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], strides=[2]),
        make_node("MaxPool", ["c"], ["y"], kernel_shape=[2]),
    ]
    return model(nodes, w=weight(3, 4, 3), shape=("N", 4, 20))


def channels_last() -> onnx.ModelProto:
    """Keras' form: scores of every pixel, and a padded window with a shuffle of shuffles."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        make_node("Pad", ["t", "border"], ["p"]),
        make_node("Conv", ["p", "w"], ["c"], strides=[2, 2]),
        make_node("Mul", ["c", "s"], ["m"]),
        make_node("Concat", ["m", "c"], ["d"], axis=1),
        make_node("Reshape", ["d", "apart"], ["g"]),
        make_node("Transpose", ["g"], ["h"], perm=[0, 2, 1, 3, 4]),
        make_node("Reshape", ["h", "whole"], ["k"]),
        make_node("Slice", ["k", "from", "to", "one"], ["l"]),
        make_node("Concat", ["l", "k", "l"], ["q"], axis=1),
        make_node("Transpose", ["q"], ["y"], perm=[0, 2, 3, 1]),
    ]
    constants = {"border": ints(0, 0, 0, 0, 0, 0, 1, 1), "apart": ints(0, 2, 4, 3, 3)}
    constants |= {"whole": ints(0, 8, 3, 3), "from": ints(3), "to": ints(7), "one": ints(1)}
    return model(
        nodes, shape=("N", 6, 6, 3), w=weight(4, 3, 3, 3), s=weight(1, 4, 1, 1), **constants
    )


def old_forms() -> onnx.ModelProto:
    """Opset 7: attributes where inputs are today, and Upsample."""
    nodes = [
        make_node("Pad", ["x"], ["p"], mode="constant", pads=[0, 0, 1, 1, 0, 0, 1, 1]),
        make_node("Upsample", ["p"], ["u"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
        make_node("Clip", ["u"], ["c"], min=0.0, max=6.0),
        make_node("PRelu", ["c", "s"], ["r"]),
        make_node("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0),
        make_node("Softmax", ["m"], ["y"]),
    ]
    return model(nodes, opset=7, s=weight(4, 1, 1))


def single(op: str, *constants: np.ndarray, outputs: int = 1, **attributes: object) -> bytes:
    """One converted operator."""
    names = [f"c{i}" for i in range(len(constants))]
    node = make_node(op, ["x", *names], ["y", *"zuv"][:outputs], **attributes)
    return model([node], **dict(zip(names, constants, strict=True))).SerializeToString()


def folded(op: str, *constants: np.ndarray, **attributes: object) -> bytes:
    """One operator on constants, whose sum is added to the images."""
    names = [f"c{i}" for i in range(len(constants))]
    nodes = [
        make_node(op, names, ["f"], **attributes),
        make_node("Cast", ["f"], ["g"], to=TensorProto.FLOAT),
        make_node("ReduceSum", ["g"], ["h"], keepdims=0),
        make_node("Add", ["x", "h"], ["y"]),
    ]
    return model(nodes, **dict(zip(names, constants, strict=True))).SerializeToString()


def singles() -> list[bytes]:
    plain = ("Relu", "Tanh", "HardSwish", "Gelu", "Elu", "LeakyRelu", "Selu", "Mish", "Softplus")
    found = [single(op) for op in (*plain, "GlobalMaxPool", "LogSoftmax", "Identity", "Neg")]
    found += [
        single("ConvTranspose", weight(4, 3, 2, 2), strides=[2, 2]),
        single("Resize", np.float32([]), np.float32([1, 1, 2, 2]), mode="nearest"),
        single("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
        single("DepthToSpace", blocksize=2),
        single("LayerNormalization", weight(6), weight(6)),
        single("InstanceNormalization", weight(4), weight(4)),
        single("GroupNormalization", weight(4), weight(4), num_groups=2),
        single("PRelu", weight(4, 1, 1)),
        single("Pow", np.float32(2)),
        single("Max", np.float32(0)),
        single("Gather", np.array(1), axis=1),
        single("Squeeze", ints()),
    ]
    return found


def folds() -> list[bytes]:
    square = weight(1, 2, 5, 5)
    return [
        folded("Conv", square, weight(3, 2, 3, 3), pads=[1] * 4),
        folded("ConvTranspose", square, weight(2, 3, 3, 3), strides=[2, 2], output_padding=[1, 1]),
        folded("MaxPool", square, kernel_shape=[2, 2], dilations=[2, 2]),
        folded("AveragePool", square, kernel_shape=[3, 3], ceil_mode=1, strides=[2, 2]),
        folded("LpPool", square, kernel_shape=[2, 2], p=3),
        folded("Resize", square, np.float32([]), np.float32([1, 1, 0.6, 1.7]), mode="cubic"),
        folded("Tile", weight(2, 3), ints(2, 2)),
        folded("Range", np.array(0), np.array(9), np.array(2)),
        folded("OneHot", ints(1, 2), np.array(4), weight(2)),
        folded("Pad", weight(3, 3), ints(1, 0, 0, 2), mode="edge"),
        folded("TopK", weight(5), ints(2)),
        folded("Gemm", weight(2, 3), weight(3, 4), weight(4)),
        folded("BatchNormalization", square, *[abs(weight(2))] * 4),
        folded("LayerNormalization", square, weight(5), axis=-1),
        folded("ReduceMax", square, ints(1, -1)),
        folded("ArgMax", square, axis=1),
        folded("Split", weight(6), num_outputs=1),
        folded("Div", ints(7, -7), ints(2, 2)),
        folded("Erf", weight(4)),
        folded("SpaceToDepth", weight(1, 1, 4, 4), blocksize=2),
    ]


def corpus() -> list[bytes]:
    """The serialized models."""
    whole = (classifier, shapes, branches, functions, lines, old_forms, channels_last)
    return [make().SerializeToString() for make in whole] + singles() + folds()
