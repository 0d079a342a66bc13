"""Parameters that only happened to be equal are trained apart; shared ones stay shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import assert_same, images_for, make_model, run_onnx, run_oracle

import onnx_import
from onnx_import import ImportedModel


def node_params(model: ImportedModel) -> list[list[str]]:
    """The parameter names of each node that has some."""
    fields = [line.split(" : ") for line in model.graph_text.splitlines() if line[:5] == "node "]
    return [field[2].split() for field in fields if len(field) == 4]


def shift_and_export(model: ImportedModel, path: Path) -> dict[str, np.ndarray]:
    """Gives every parameter values of its own and writes the model."""
    params = {
        name: array + np.float32(0.1 * (index + 1))
        for index, (name, array) in enumerate(model.params.items())
    }
    onnx_import.export(model, params, path)
    return params


def fresh_batch_norms() -> onnx.ModelProto:
    """As exporters write them: scale and variance are one tensor, shift and mean another."""
    nodes = [
        make_node("BatchNormalization", ["x", "bn.weight", "bn.bias", "bn.bias", "bn.weight"],
                  ["a"], name="bn1"),
        make_node("BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.bias", "bn.weight"],
                  ["y"], name="bn2"),
    ]  # fmt: skip
    return make_model(
        nodes, {"bn.weight": np.ones(4, np.float32), "bn.bias": np.zeros(4, np.float32)}
    )


def test_batch_norm_slots_are_always_apart(tmp_path: Path) -> None:
    model = onnx_import.load(fresh_batch_norms())
    assert node_params(model) == [
        ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"],
        ["bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"],
    ]
    assert not any(
        np.shares_memory(a, b)
        for name, a in model.params.items()
        for other, b in model.params.items()
        if name != other
    )
    params = shift_and_export(model, tmp_path / "out.onnx")
    exported = {t.name: t for t in onnx.load(tmp_path / "out.onnx").graph.initializer}
    assert set(exported) == set(params)
    for name, array in params.items():
        assert (onnx.numpy_helper.to_array(exported[name]) == array).all()


def two_convs(weight: np.ndarray, *, alias: bool) -> onnx.ModelProto:
    nodes = [make_node("Identity", ["w"], ["w_alias"])] if alias else []
    second = "w_alias" if alias else "w"
    nodes += [make_node("Conv", ["x", "w"], ["a"], name="one"),
              make_node("Conv", ["a", second], ["y"], name="two")]  # fmt: skip
    return make_model(nodes, {"w": weight})


def varied() -> np.ndarray:
    return np.arange(16, dtype=np.float32).reshape(4, 4, 1, 1) / 10


def test_deliberately_shared_weight_stays_one_parameter(tmp_path: Path) -> None:
    model = onnx_import.load(two_convs(varied(), alias=False))
    assert node_params(model) == [["w"], ["w"]]
    assert list(model.params) == ["w"]
    assert [len(binding.slots) for binding in model.bindings] == [2]
    params = shift_and_export(model, tmp_path / "out.onnx")
    images = images_for(model)
    assert_same(run_oracle(model, images, params), run_onnx(tmp_path / "out.onnx", images))


def test_shared_weight_of_equal_elements_is_untied(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "onnx_import"):
        model = onnx_import.load(two_convs(np.full((4, 4, 1, 1), 0.5, np.float32), alias=False))
    assert node_params(model) == [["w"], ["two.weight"]]
    assert "untied two.weight from initializer w" in caplog.text


def test_identity_of_an_initializer_is_untied(tmp_path: Path) -> None:
    model = onnx_import.load(two_convs(varied(), alias=True))
    assert node_params(model) == [["w"], ["w_alias"]]
    params = shift_and_export(model, tmp_path / "out.onnx")
    exported = onnx.load(tmp_path / "out.onnx").graph
    assert [node.op_type for node in exported.node] == ["Conv", "Conv"]
    assert {t.name for t in exported.initializer} == {"w", "w_alias"}
    images = images_for(model)
    assert_same(run_oracle(model, images, params), run_onnx(tmp_path / "out.onnx", images))


def test_a_fill_is_a_fresh_parameter_for_each_consumer(tmp_path: Path) -> None:
    nodes = [
        make_node("ConstantOfShape", ["s"], ["w"]),
        make_node("Conv", ["x", "w"], ["a"], name="one"),
        make_node("Conv", ["a", "w"], ["y"], name="two"),
    ]
    model = onnx_import.load(make_model(nodes, {"s": np.array([4, 4, 1, 1])}))
    assert node_params(model) == [["w"], ["two.weight"]]
    params = shift_and_export(model, tmp_path / "out.onnx")
    images = images_for(model)
    assert_same(run_oracle(model, images, params), run_onnx(tmp_path / "out.onnx", images))


def test_zero_biases_that_an_exporter_computed_are_no_parameters() -> None:
    nodes = [
        make_node("Shape", ["w"], ["s"], start=0, end=1),
        make_node("Constant", [], ["zero"], value_float=0.0),
        make_node("Expand", ["zero", "s"], ["b"]),
        make_node("Conv", ["x", "w", "b"], ["y"]),
    ]
    model = onnx_import.load(make_model(nodes, {"w": varied()}))
    assert list(model.params) == ["w"]


def test_scalars_and_constant_nodes_are_frozen() -> None:
    values = np.array([1, 2, 3, 4], np.float32).reshape(4, 1, 1)
    nodes = [
        make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(values)),
        make_node("Mul", ["x", "c"], ["a"]),
        make_node("Div", ["a", "d"], ["b"]),
        make_node("Add", ["b", "e"], ["y"]),
    ]
    weights = {"d": np.array(255, np.float32), "e": values}
    model = onnx_import.load(make_model(nodes, weights))
    lines = [line for line in model.graph_text.splitlines() if line.startswith("param")]
    assert lines == ["param c scale 4 frozen", "param d scale 4 frozen", "param e shift 4"]
    assert [binding.param for binding in model.bindings] == ["e"]


def test_a_weight_that_is_also_a_constant_is_not_overwritten(tmp_path: Path) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["a"]),
        make_node("ReduceProd", ["w"], ["p"], keepdims=0),
        make_node("Mul", ["a", "p"], ["y"]),
    ]
    weight = np.full((32, 4, 1, 1), 1.01, np.float32)
    model = onnx_import.load(make_model(nodes, {"w": weight}))
    params = dict(model.params) | {"w": model.params["w"] + 1}
    onnx_import.export(model, params, tmp_path / "out.onnx")
    images = images_for(model)
    assert_same(run_oracle(model, images, params), run_onnx(tmp_path / "out.onnx", images))


@pytest.mark.parametrize("name", ["onnx::Conv_7", "onnx::Conv_12"])
def test_folded_batch_norms_of_the_old_exporter_are_noticed(name: str) -> None:
    node = make_node("Conv", ["x", name], ["y"])
    warnings = onnx_import.load(make_model([node], {name: varied()})).warnings
    assert len(warnings) == 1
    assert "batch-normalization looks folded into 1 conv" in warnings[0]
    assert "do_constant_folding=False" in warnings[0]


def test_folded_batch_norms_of_the_new_exporter_are_noticed() -> None:
    node = make_node("Conv", ["x", "w"], ["getitem_3"])
    model = make_model([node, make_node("Relu", ["getitem_3"], ["y"])], {"w": varied()})
    assert "looks folded" in onnx_import.load(model).warnings[0]


def test_residual_network_without_batch_norm_is_noticed() -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["a"]),
        make_node("Relu", ["x"], ["r"]),
        make_node("Add", ["a", "r"], ["y"]),
    ]
    assert onnx_import.load(make_model(nodes, {"w": varied()})).warnings


def test_plain_network_without_batch_norm_is_not_suspected() -> None:
    node = make_node("Conv", ["x", "features.0.weight"], ["y"])
    assert onnx_import.load(make_model([node], {"features.0.weight": varied()})).warnings == []
