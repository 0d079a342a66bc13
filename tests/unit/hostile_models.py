"""Models that parse, but that nobody should have to trust, and what a refusal must name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hostile_parts import (
    HUGE,
    Model,
    as_type,
    attribute_by_reference,
    bomb,
    chain,
    conv,
    doubling_concats,
    edited,
    foreign_domain,
    functions,
    if_node,
    ints,
    many_small_bombs,
    no_input,
    no_output,
    one,
    relu,
    second_input,
    sequence,
    slow_product,
    sparse,
    sparse_constant,
    string_input,
    strings,
    sums,
    two_initializers,
    untied_bombs,
    weight,
    with_dims,
    wrong_attribute,
    wrong_raw,
    zeros,
)
from onnx import TensorProto, helper
from onnx.helper import make_node
from onnx_reference import make_model

#: Made in memory: the refusal must match the pattern.
REFUSED: dict[str, tuple[Callable[[], Model], str]] = {
    "group 0": (lambda: conv(group=0), "group 0 does not divide"),
    "negative group": (lambda: conv(group=-4), "group -4"),
    "wrong channels": (lambda: one("Conv", zeros(8, 5, 3, 3)), "does not fit 4 input channels"),
    "large kernel": (lambda: one("Conv", zeros(8, 4, 9, 9)), "larger than its padded input"),
    "huge kernel_shape": (lambda: one("MaxPool", kernel_shape=[HUGE, 1]), "kernel_shape"),
    "huge pads": (lambda: conv(pads=[2**40] * 4), "pads"),
    "negative pads": (lambda: conv(pads=[-1] * 4), "pads"),
    "zero strides": (lambda: conv(strides=[0, 1]), r"strides \[0, 1\]"),
    "negative strides": (lambda: conv(strides=[-1, 1]), r"strides \[-1, 1\]"),
    "zero dilations": (lambda: conv(dilations=[0, 1]), r"dilations \[0, 1\]"),
    "empty weight": (lambda: one("Conv", zeros(8, 4, 0, 3)), "kernel"),
    "opset 999": (lambda: relu(opset=999), "opset 999 is outside"),
    "opset 0": (lambda: relu(opset=0), "opset 0 is outside"),
    "negative opset": (lambda: relu(opset=-(2**60)), "opset -1152921504606846976 is outside"),
    "no opset": (lambda: edited(relu(), lambda m: m.ClearField("opset_import")), "no opset"),
    "foreign domain": (foreign_domain, "domain 'com.example'"),
    "memory by ConstantOfShape": (lambda: bomb("ConstantOfShape", ints(2**20, 2**20)), "'bomb'"),
    "memory by a fill of negative size": (lambda: bomb("ConstantOfShape", ints(-1)), "'bomb'"),
    "memory by Constant": (
        lambda: bomb("Constant", value=TensorProto(data_type=1, dims=[2**40], raw_data=b"abcd")),
        "'bomb'",
    ),
    "memory by Expand": (lambda: bomb("Expand", zeros(1), ints(*[2**15] * 4)), "'bomb'"),
    "memory by Tile": (lambda: bomb("Tile", zeros(4), ints(2**40)), "'bomb'"),
    "memory by overflowing Tile": (lambda: bomb("Tile", zeros(4), ints(HUGE)), "'bomb'"),
    "memory by Resize": (
        lambda: bomb("Resize", zeros(1, 1, 4, 4), zeros(0), np.float32([1, 1, 2**20, 2**20])),
        "'bomb'",
    ),
    "memory by Range": (lambda: bomb("Range", *map(np.array, (0, 2**40, 1))), "'bomb'"),
    "endless Range": (lambda: bomb("Range", *map(np.array, (0, 5, 0))), "'bomb'"),
    "memory by Pad": (lambda: bomb("Pad", zeros(4), ints(2**40, 0)), "'bomb'"),
    "memory by OneHot": (
        lambda: bomb("OneHot", ints(*range(1000)), np.array(2**40), zeros(2)), "'bomb'"
    ),
    "memory by MatMul": (
        lambda: sums(
            [make_node("ConstantOfShape", ["s"], ["a"]), make_node("Transpose", ["a"], ["b"]),
             make_node("MatMul", ["b", "a"], ["f"], name="bomb")], "f", s=ints(1, 2**18)
        ), "'bomb'",
    ),
    "memory by Gather": (
        lambda: sums(
            [make_node("ConstantOfShape", ["s"], ["i"], value=helper.make_tensor(
                "v", TensorProto.INT64, [1], [0])),
             make_node("Gather", ["c", "i"], ["f"], name="bomb")],
            "f", s=ints(2**28), c=zeros(2, 4),
        ), "'bomb'",
    ),
    "memory by many small ones": (many_small_bombs, "'tile"),
    "memory by copies of an initializer": (untied_bombs, "parameter 'bn"),
    "time by MatMul of integers": (slow_product, "'bomb'"),
    "time by pooling": (
        lambda: bomb("MaxPool", zeros(1, 1, 2000, 2000), kernel_shape=[1999, 1999]), "'bomb'"
    ),
    "doubling concats": (lambda: doubling_concats(25), "Concat 'c19'.* pieces"),
    "nested functions": (lambda: functions(40), "nodes after inlining"),
    "deeply nested functions": (lambda: functions(3000), "nested|calls itself"),
    "recursive function": (lambda: functions(1, recursive=True), "calls itself"),
    "value written twice": (
        lambda: make_model([make_node("Relu", ["x"], ["y"])] * 2), "'y' is written twice"
    ),
    "node that writes the input": (
        lambda: make_model([make_node("Relu", ["y"], ["x"]), make_node("Relu", ["x"], ["y"])]),
        "'x' is written twice",
    ),
    "two initializers of one name": (lambda: edited(conv(), two_initializers), "'c0'"),
    "cycle": (
        lambda: make_model([make_node("Add", ["x", "b"], ["a"], name="first"),
                            make_node("Relu", ["a"], ["b"]), make_node("Relu", ["b"], ["y"])]),
        "cyclic graph through node 'first'",
    ),
    "node that reads itself": (
        lambda: make_model([make_node("Add", ["x", "y"], ["y"], name="me")]), "cyclic.*'me'"
    ),
    "undefined input": (
        lambda: make_model([make_node("Add", ["x", "ghost"], ["y"], name="sum")]),
        "reads 'ghost', which nothing defines",
    ),
    "what crashes ONNX's converter": (
        lambda: make_model([make_node("Reshape", ["x"], ["y"], name="it")], opset=7), "'it'|crash"
    ),
    "undefined output": (lambda: relu(outputs=("ghost",)), "nothing defines the output 'ghost'"),
    "control flow": (if_node, "If 'choice': control flow"),
    "sequence": (sequence, "SequenceConstruct 'it'"),
    "sparse initializer": (lambda: edited(conv(), sparse), "sparse"),
    "sparse constant": (sparse_constant, "'it'"),
    "strings": (strings, "'it'"),
    "string input": (lambda: edited(relu(), string_input), "input 'x' must be float32"),
    "string initializer": (
        lambda: edited(conv(), lambda m: weight(m).CopyFrom(
            helper.make_tensor("c0", TensorProto.STRING, [1], [b"w"]))),
        "'c0' has type STRING",
    ),
    "external tensor without a file": (
        lambda: edited(conv(), lambda m: (weight(m).ClearField("raw_data"),
                                          setattr(weight(m), "data_location", 1))),
        "'c0'",
    ),
    "raw data too short": (lambda: edited(conv(), wrong_raw), "'c0' has 1149 bytes"),
    "raw data of another type": (
        lambda: edited(conv(), as_type(TensorProto.DOUBLE, np.float64)), "must be float32"
    ),
    "integer weight": (
        lambda: edited(conv(), as_type(TensorProto.INT32, np.int32)), "must be float32"
    ),
    "bfloat16 weight": (
        lambda: edited(conv(), as_type(TensorProto.BFLOAT16, np.int16)), "type BFLOAT16"
    ),
    "unknown type": (lambda: edited(conv(), as_type(777, np.int16)), "type 777"),
    "dimensions that overflow": (lambda: edited(conv(), with_dims(HUGE, 4, HUGE, 3)), "'c0'"),
    "huge dimensions of nothing": (
        lambda: edited(conv(), lambda m: (with_dims(0, HUGE, HUGE)(m),
                                          setattr(weight(m), "raw_data", b""))),
        "impossible dimensions",
    ),
    "dimensions without number": (lambda: edited(conv(), with_dims(*[1] * 99)), "'c0'"),
    "shape that is one number": (
        lambda: make_model([make_node("Reshape", ["x", "s"], ["y"], name="it")],
                           {"s": np.array(0)}, shape=(1, 4, 6, 6)),
        "'it'",
    ),
    "shape of reals": (
        lambda: make_model([make_node("Reshape", ["x", "s"], ["y"], name="it")],
                           {"s": np.float32([np.nan, 4])}),
        "'it'.*integers",
    ),
    "dimensions that wrap around": (lambda: edited(conv(), with_dims(2**32, 2**32)), "'c0'"),
    "negative dimension": (lambda: edited(conv(), with_dims(-8, 4, -3, 3)), "negative dimension"),
    "huge images": (lambda: relu(shape=("N", 3, HUGE, HUGE)), "input 'x'"),
    "huge channels": (lambda: relu(shape=("N", HUGE, 1, 1)), "input 'x'"),
    "negative images": (lambda: relu(shape=("N", 3, -4, 4)), "input 'x'"),
    "images of rank 9": (lambda: relu(shape=("N", *[2] * 8)), "input 'x'"),
    "input without a shape": (
        lambda: edited(relu(), lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")),
        "input 'x'",
    ),
    "input that is no tensor": (
        lambda: edited(relu(), lambda m: m.graph.input[0].type.sequence_type.elem_type
                       .tensor_type.ClearField("shape")),
        "input 'x'",
    ),
    "NaN epsilon": (
        lambda: one("BatchNormalization", *[zeros(4)] * 4, epsilon=float("nan")), "epsilon nan"
    ),
    "infinite epsilon": (
        lambda: one("BatchNormalization", *[zeros(4)] * 4, epsilon=float("inf")), "epsilon inf"
    ),
    "NaN momentum": (
        lambda: one("BatchNormalization", *[zeros(4)] * 4, momentum=float("nan")), "momentum nan"
    ),
    "NaN alpha of LRN": (lambda: one("LRN", size=3, alpha=float("nan")), "'it'.*nan"),
    "infinite slope": (lambda: one("LeakyRelu", alpha=float("inf")), "'it'.*inf"),
    "NaN bounds": (lambda: one("Clip", np.float32(np.nan), np.float32(1)), "'it'.*nan"),
    "NaN ratio": (lambda: one("Dropout", np.float32(np.nan)), "'it'.*nan"),
    "huge LRN": (lambda: one("LRN", size=2**61 + 1), "size"),
    "attribute of another type": (lambda: edited(conv(), wrong_attribute), "strides.*wrong type"),
    "attribute by reference": (lambda: edited(conv(), attribute_by_reference), "strides"),
    "empty graph": (lambda: edited(relu(), lambda m: m.graph.ClearField("node")), "no nodes"),
    "no input": (lambda: edited(relu(), no_input), "has no input|one is needed"),
    "several inputs": (lambda: edited(relu(), second_input), r"inputs \['x', 'z'\]"),
    "no output": (lambda: edited(relu(), no_output), "needs outputs"),
    "node without inputs": (lambda: make_model([make_node("Relu", [], ["y"], name="it")]), "'it'"),
    "node without outputs": (
        lambda: make_model([make_node("Relu", ["x"], []), make_node("Sin", ["x"], ["y"])]), "Sin"
    ),
    "input with an empty name": (
        lambda: make_model([make_node("Conv", ["x", ""], ["y"], name="it")]), "'it'"
    ),
    "nodes beyond all measure": (lambda: chain(100_001), "100001 nodes, at most 100000"),
    "long chain of what is not supported": (lambda: chain(50_000, "Sin"), "1000 nodes or more"),
    "long chain of unknown operators": (lambda: chain(50_000, "No"), "1000 nodes or more not"),
    "name with line ends": (lambda: one("No\nSuch\r\nOp"), "No"),
    "name with terminal escapes": (
        lambda: edited(one("Sin"), lambda m: setattr(m.graph.node[0], "name", "\x1b[2J\x07\x9b")),
        r"\\x1b\[2J\\x07\\x9b",
    ),
    "very long name": (
        lambda: edited(one("Sin"), lambda m: setattr(m.graph.node[0], "name", "n" * 10**7)),
        r"nnn\.\.\.nnn",
    ),
    "very long operator": (lambda: one("S" * 10**6), r"SSS\.\.\.SSS"),
    "very long value": (
        lambda: make_model([make_node("Relu", ["x" * 10**6], ["y"])]), "which nothing defines"
    ),
    "name that turns text around": (
        lambda: edited(one("Sin"), lambda m: setattr(m.graph.node[0], "name", "a\u202eb")),
        r"a\\u202eb",
    ),
}  # fmt: skip
