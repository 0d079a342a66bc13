"""Model files that nobody should have to trust: what each is, and what its refusal must name."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.helper import make_node
from onnx_reference import make_model

Model = onnx.ModelProto
HUGE = 2**62


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def one(op: str, *constants: np.ndarray, **attributes: object) -> Model:
    """A model of one node 'it', which reads the images and constants."""
    names = [f"c{i}" for i in range(len(constants))]
    node = make_node(op, ["x", *names], ["y"], name="it", **attributes)
    return make_model([node], dict(zip(names, constants, strict=True)))


def relu(name: str = "r", **changes: object) -> Model:
    return make_model([make_node("Relu", ["x"], ["y"], name=name)], **changes)  # type: ignore[arg-type]


def sums(nodes: Sequence[onnx.NodeProto], constant: str, **weights: np.ndarray) -> Model:
    """Nodes that compute a constant, which is added to the images."""
    return make_model([*nodes, make_node("Add", ["x", constant], ["y"])], weights)


def bomb(op: str, *inputs: np.ndarray, **attributes: object) -> Model:
    """One node 'bomb' that computes a constant."""
    names = [f"c{i}" for i in range(len(inputs))]
    node = make_node(op, names, ["f"], name="bomb", **attributes)
    return sums([node], "f", **dict(zip(names, inputs, strict=True)))


def many_small_bombs() -> Model:
    nodes = [make_node("Tile", ["c", "n"], [f"t{i}"], name=f"tile{i}") for i in range(100)]
    nodes += [make_node("ReduceSum", [f"t{i}"], [f"s{i}"]) for i in range(100)]
    nodes.append(make_node("Sum", [f"s{i}" for i in range(100)], ["f"]))
    return sums(nodes, "f", c=zeros(2**10), n=ints(2**14))


def untied_bombs() -> Model:
    """Every node would get a copy of the one large initializer."""
    nodes, last = [], "x"
    for i in range(400):
        nodes.append(make_node("BatchNormalization", [last, *"ssss"], [f"v{i}"], name=f"bn{i}"))
        last = f"v{i}"
    nodes.append(make_node("Identity", [last], ["y"]))
    return make_model(nodes, {"s": zeros(2**20)}, shape=("N", 2**20, 1, 1))


def slow_product() -> Model:
    nodes = [
        make_node("ConstantOfShape", ["s"], ["a"]),
        make_node("Cast", ["a"], ["b"], to=TensorProto.INT64),
        make_node("MatMul", ["b", "b"], ["f"], name="bomb"),
    ]
    return sums(nodes, "f", s=ints(4096, 4096))


def doubling_concats(depth: int) -> Model:
    nodes = [
        make_node("Concat", [f"c{i}" if i else "x"] * 2, [f"c{i + 1}"], name=f"c{i}", axis=1)
        for i in range(depth)
    ]
    return make_model([*nodes, make_node("Relu", [f"c{depth}"], ["y"])], shape=("N", 1, 1, 1))


def slices_of_slices(depth: int) -> Model:
    nodes = []
    for i in range(depth):
        names = [f"v{i}" if i else "x", "from", "to", "axis"]
        nodes.append(make_node("Slice", names, [f"v{i + 1}"], name=f"slice{i}"))
    nodes.append(make_node("Relu", [f"v{depth}"], ["y"]))
    constants = {"from": ints(1), "to": ints(2**40), "axis": ints(1)}
    return make_model(nodes, constants, shape=("N", 2 * depth, 1, 1))


def functions(depth: int, recursive: bool = False) -> Model:
    """Each function calls the one before it twice; or the only one calls itself."""
    opset = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    made = []
    for level in range(depth):
        op, domain = (f"f{level - 1}", "local") if level else ("Relu", "")
        op, domain = ("f0", "local") if recursive else (op, domain)
        body = [make_node(op, ["a"], ["b"], domain=domain),
                make_node(op, ["b"], ["c"], domain=domain)]  # fmt: skip
        made.append(helper.make_function("local", f"f{level}", ["a"], ["c"], body, opset))
    node = make_node(f"f{depth - 1}", ["x"], ["y"], domain="local")
    return make_model([node], functions=made)


def if_node() -> Model:
    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    branch = helper.make_graph([make_node("Relu", ["x"], ["o"])], "then", [], [out])
    node = make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)
    return make_model([node], {"c": np.array(True)})


def foreign_domain() -> Model:
    model = make_model([make_node("FusedConv", ["x"], ["y"], name="f", domain="com.example")])
    model.opset_import.add(domain="com.example", version=1)
    return model


def chain(length: int, op: str = "Relu", name: str = "") -> Model:
    nodes = [
        make_node(op, [f"v{i}" if i else "x"], [f"v{i + 1}" if i + 1 < length else "y"], name=name)
        for i in range(length)
    ]
    return make_model(nodes)


def edited(model: Model, edit: Callable[[Model], object]) -> Model:
    edit(model)
    return model


def weight(model: Model) -> TensorProto:
    return model.graph.initializer[0]


def conv(**attributes: object) -> Model:
    return one("Conv", zeros(8, 4, 3, 3), **attributes)


def wrong_raw(model: Model) -> None:
    weight(model).raw_data = weight(model).raw_data[:-3]


def as_type(kind: int, dtype: type) -> Callable[[Model], None]:
    def edit(model: Model) -> None:
        tensor = weight(model)
        tensor.data_type = kind
        tensor.raw_data = np.zeros(8 * 4 * 3 * 3, dtype).tobytes()

    return edit


def with_dims(*dims: int) -> Callable[[Model], None]:
    def edit(model: Model) -> None:
        del weight(model).dims[:]
        weight(model).dims.extend(dims)

    return edit


def sparse(model: Model) -> None:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))


def sparse_constant() -> Model:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    tensor = helper.make_sparse_tensor(values, indices, [2**40])
    return sums([make_node("Constant", [], ["f"], name="it", sparse_value=tensor)], "f")


def wrong_attribute(model: Model) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("strides", "two"))


def attribute_by_reference(model: Model) -> None:
    attribute = model.graph.node[0].attribute.add(name="strides", ref_attr_name="s")
    attribute.type = onnx.AttributeProto.INTS


def strings() -> Model:
    node = make_node("Constant", [], ["f"], name="it", value_strings=["a", "b"])
    return sums([node], "f")


def string_input(model: Model) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def sequence() -> Model:
    nodes = [
        make_node("SequenceConstruct", ["x", "x"], ["s"], name="it"),
        make_node("ConcatFromSequence", ["s"], ["y"], axis=1),
    ]
    return make_model(nodes)


def no_input(model: Model) -> None:
    del model.graph.input[:]
    weight_of_all = onnx.numpy_helper.from_array(zeros(1, 4, 6, 6), "x")
    model.graph.initializer.append(weight_of_all)


def second_input(model: Model) -> None:
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 1]))


def two_initializers(model: Model) -> None:
    model.graph.initializer.append(weight(model))


def no_output(model: Model) -> None:
    del model.graph.output[:]


def unnamed_output() -> Model:
    return make_model([make_node("Split", ["x"], ["", "y"], axis=1)])


def many_outputs(count: int) -> Model:
    nodes = [make_node("Relu", ["x"], [f"y{i}"]) for i in range(count)]
    return make_model(nodes, outputs=[f"y{i}" for i in range(count)])


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
    "doubling concats": (lambda: doubling_concats(25), "Concat 'c11'.* pieces"),
    "a concat of too much": (
        lambda: make_model([make_node("Concat", ["x"] * 5000, ["c"], name="it", axis=1),
                            make_node("Relu", ["c"], ["y"])]), "'it': it moves 5000 pieces"
    ),
    "slices of slices": (lambda: slices_of_slices(20_000), "slice1000'.* 1001 steps"),
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
    "long chain of what is not supported": (lambda: chain(50_000, "Sin"), "50000 nodes not supp"),
    "long chain of unknown operators": (lambda: chain(50_000, "No"), "50000 nodes not supported"),
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


def lies_about_length(path: Path) -> None:
    """A graph field that says it is longer than the file."""
    path.write_bytes(b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(100))


def sparse_file(path: Path, size: int, head: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def many_fields(path: Path) -> None:
    """A valid message of empty nodes, more than any network has."""
    body = b"\x0a\x00" * 4_000_000
    length = bytearray()
    rest = len(body)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    path.write_bytes(b"\x08\x08\x3a" + bytes([*length, rest]) + body)


def random_file(path: Path) -> None:
    path.write_bytes(random.Random(3).randbytes(100_000))


def truncated(part: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = conv().SerializeToString()
        path.write_bytes(data[: int(len(data) * part)])

    return write


def not_utf8(path: Path) -> None:
    path.write_bytes(relu(name="abcd").SerializeToString().replace(b"abcd", b"\xff\xfe\xfd\xfc"))


def nested_messages(path: Path) -> None:
    """Types within types, deeper than any parser should follow."""
    inner = b""
    for _ in range(2000):
        size, rest = bytearray(), len(inner)
        while rest > 127:
            size.append(rest & 127 | 128)
            rest >>= 7
        inner = b"\x22" + bytes([*size, rest]) + inner  # field 4, as in TypeProto and its like
    path.write_bytes(b"\x08\x08\x3a" + b"\x80\x01" + inner[:128])


#: Written byte by byte.
BYTES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty file": (lambda path: path.write_bytes(b"") and None, "is not an ONNX"),
    "text": (lambda path: path.write_text("hello, I am not a model\n") and None, "not an ONNX"),
    "random bytes": (random_file, "is not an ONNX|truncated"),
    "truncated in the graph": (truncated(0.3), "truncated"),
    "truncated in the weights": (truncated(0.9), "truncated"),
    "truncated at the end": (truncated(0.999), "truncated"),
    "length beyond the end": (lies_about_length, "truncated"),
    "4 million parts": (many_fields, "too many parts"),
    "name that is not UTF-8": (not_utf8, "UTF-8"),
    "nested messages": (nested_messages, "truncated|not an ONNX"),
    "2 GiB of nothing": (lambda path: sparse_file(path, 2**31), "2147483648 bytes"),
    "just below 2 GiB of nothing": (lambda path: sparse_file(path, 2**31 - 1), "is not an ONNX"),
    "2 GB that are said to be a graph": (
        lambda path: sparse_file(path, 2**31 - 1, b"\x08\x08\x3a\xf7\xff\xff\xff\x07"),
        "truncated",
    ),
    "2 GB that are said to be a description": (
        lambda path: sparse_file(path, 2**31 - 1, b"\x08\x08\x32\xf7\xff\xff\xff\x07"),
        "too large",
    ),
}


def with_external(folder: Path, location: str, **fields: object) -> Path:
    """A model whose weight is said to be in `location`; beside it a secret."""
    (folder / "secret").write_bytes(bytes(2000))
    home = folder / "model"
    home.mkdir()
    model = conv()
    tensor = weight(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **fields}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = home / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def fifo(folder: Path) -> Path:
    path = with_external(folder, "data")
    os.mkfifo(path.parent / "data")
    return path


def folder_as_data(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").mkdir()
    return path


def symbolic_link(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").symlink_to(folder / "secret")
    return path


def link_to_a_device(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").symlink_to("/dev/zero")
    return path


def hard_link(folder: Path) -> Path:
    path = with_external(folder, "data")
    (path.parent / "data").hardlink_to(folder / "secret")
    return path


def linked_folder(folder: Path) -> Path:
    path = with_external(folder, "data/secret")
    (path.parent / "data").symlink_to(folder, target_is_directory=True)
    return path


def with_data(n_bytes: int, **fields: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = with_external(folder, "data", **fields)
        sparse_file(path.parent / "data", n_bytes)
        return path

    return write


#: With a folder around them.
EXTERNAL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "beside the folder": (lambda f: with_external(f, "../secret"), "inside the model's folder"),
    "beside it by a detour": (lambda f: with_external(f, "a/../../secret"), "inside the model's"),
    "absolute": (lambda f: with_external(f, str(f / "secret")), "inside the model's folder"),
    "a device": (lambda f: with_external(f, "/dev/zero"), "inside the model's folder"),
    "with a NUL": (lambda f: with_external(f, "a\0b"), "cannot be opened"),
    "with a long name": (lambda f: with_external(f, "n" * 10**5), "cannot be opened"),
    "nameless": (lambda f: with_external(f, ""), "inside the model's folder"),
    "the model itself": (lambda f: with_external(f, "."), "inside the model's|regular|opened"),
    "missing": (lambda f: with_external(f, "data"), "cannot be opened"),
    "a FIFO": (fifo, "not a regular file"),
    "a folder": (folder_as_data, "not a regular file"),
    "a symbolic link": (symbolic_link, "symbolic link"),
    "a link to a device": (link_to_a_device, "symbolic link"),
    "a hard link": (hard_link, "not a regular file with one name"),
    "through a linked folder": (linked_folder, "symbolic link"),
    "too short": (with_data(1000), "truncated"),
    "beyond the end": (with_data(1152, offset=4), "truncated"),
    "at a negative offset": (with_data(5000, offset=-1152), "truncated"),
    "at a huge offset": (with_data(5000, offset=2**70), "truncated"),
    "of a huge length": (with_data(5000, length=2**70), "truncated"),
    "of a negative length": (with_data(5000, length=-1), "truncated"),
    "with an offset that is no number": (with_data(5000, offset="0x10"), "integers"),
    "with an offset of a million digits": (with_data(5000, offset="9" * 10**6), "integers"),
}
