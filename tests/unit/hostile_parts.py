"""What hostile models are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
