"""An exported file is the imported one with new weights, complete or absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import (
    assert_same,
    images_for,
    make_model,
    random_params,
    run_onnx,
    run_oracle,
)

import onnx_import
from onnx_import import ImportedModel, ModelError

BATCH_NORM = ["s", "b", "m", "v"]


def training_model() -> onnx.ModelProto:
    weights = {name: np.full(4, i + 1, np.float32) for i, name in enumerate(BATCH_NORM)}
    weights |= {"w": np.ones((4, 4, 3, 3), np.float32), "fc": np.ones((4, 2), np.float32)}
    weights |= {"ratio": np.array(0.5, np.float32), "on": np.array(True)}
    bn_outputs = ["n", "new_mean", "new_var"]
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], name="conv"),
        make_node("BatchNormalization", ["c", *BATCH_NORM], bn_outputs, training_mode=1),
        make_node("GlobalAveragePool", ["n"], ["g"]),
        make_node("Flatten", ["g"], ["f"]),
        make_node("Dropout", ["f", "ratio", "on"], ["d", "mask"]),
        make_node("MatMul", ["d", "fc"], ["y"]),
    ]
    model = make_model(nodes, weights, shape=("batch", 4, 6, 6), opset=15, ir_version=8)
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_param="batch")
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=2)
    return model


@pytest.fixture
def imported() -> ImportedModel:
    model = training_model()
    model.producer_name = "somebody"
    model.metadata_props.add(key="author", value="A. B., see /layer1/conv")
    model.metadata_props.add(key="source", value="/home/somebody/train.py")
    model.graph.node[0].metadata_props.add(key="trace", value='File "/x/y.py", line 3')
    model.graph.node[0].metadata_props.add(key="scope", value="layer1/conv")
    model.graph.node[1].doc_string = "/opt/somewhere/model.py(12): forward"
    return onnx_import.load(model)


def test_training_form_is_exported_for_inference(imported: ImportedModel, tmp_path: Path) -> None:
    path = tmp_path / "out.onnx"
    params = random_params(imported)
    onnx_import.export(imported, params, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    assert model.opset_import[0].version <= 21
    nodes = {node.op_type: node for node in model.graph.node}
    assert list(nodes["BatchNormalization"].output) == ["n"]
    assert list(nodes["Dropout"].input) == ["f", "ratio"]
    images = images_for(imported)
    assert_same(run_oracle(imported, images, params), run_onnx(path, images))


def test_names_dimensions_and_metadata_survive(imported: ImportedModel, tmp_path: Path) -> None:
    path = tmp_path / "out.onnx"
    onnx_import.export(imported, random_params(imported), path)
    model = onnx.load(path)
    assert model.graph.input[0].name == "x"
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {t.name for t in model.graph.initializer} == {"w", *BATCH_NORM, "ratio", "fc"}
    assert model.graph.node[0].name == "conv"
    assert [p.key for p in model.metadata_props] == ["author"]
    assert model.producer_name == "somebody"


def test_local_paths_are_stripped(imported: ImportedModel, tmp_path: Path) -> None:
    path = tmp_path / "out.onnx"
    onnx_import.export(imported, imported.params, path)
    data = path.read_bytes()
    for text in (b"/home/somebody", b"/x/y.py", b"/opt/somewhere"):
        assert text not in data
    assert b"layer1/conv" in data


def test_exporting_twice_gives_equal_bytes(imported: ImportedModel, tmp_path: Path) -> None:
    params = random_params(imported)
    for name in ("a.onnx", "b.onnx"):
        onnx_import.export(imported, params, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_exported_model_imports_to_the_same_parameters(
    imported: ImportedModel, tmp_path: Path
) -> None:
    path = tmp_path / "out.onnx"
    params = random_params(imported)
    onnx_import.export(imported, params, path)
    again = onnx_import.load(path)
    assert again.graph_text == imported.graph_text
    assert {k: v.tobytes() for k, v in again.params.items()} == {
        k: v.tobytes() for k, v in params.items()
    }


def test_large_weights_go_to_a_file_beside_the_model(
    imported: ImportedModel, tmp_path: Path
) -> None:
    path = tmp_path / "out.onnx"
    for seed in (1, 2):  # the second time over existing files
        params = random_params(imported, seed)
        onnx_import.export(imported, params, path, external_above_bytes=100)
        assert sorted(os.listdir(tmp_path)) == ["out.onnx", "out.onnx.data"]
        images = images_for(imported)
        wanted = run_oracle(imported, images, params)
        assert_same(wanted, run_onnx(path, images))
        assert_same(wanted, run_oracle(onnx_import.load(path), images))
    assert (tmp_path / "out.onnx.data").stat().st_size < 32768


def test_a_failed_export_leaves_the_old_file_and_nothing_else(
    imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.onnx"
    path.write_bytes(b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        onnx_import.export(imported, imported.params, path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.onnx"]


def test_a_failure_in_the_second_file_leaves_both_old_ones(
    imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.onnx"
    onnx_import.export(imported, imported.params, path, external_above_bytes=100)
    old = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    assert len(old) == 2
    written: list[int] = []

    def full_at_the_second(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space"):
        onnx_import.export(imported, random_params(imported), path, external_above_bytes=100)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == old


def test_a_graph_of_the_old_converter_keeps_its_batch_and_its_names(tmp_path: Path) -> None:
    """The batch stays dynamic where the file has a fixed reshape behind it."""
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], name="features/conv"),
        make_node("Flatten", ["c"], ["f"], name="flat"),
        make_node("Gemm", ["f", "fc"], ["y"], name="head"),
    ]
    weights = {"w": np.ones((2, 4, 3, 3), np.float32), "fc": np.ones((32, 3), np.float32)}
    model = make_model(nodes, weights, shape=("samples", 4, 6, 6), opset=9, ir_version=4)
    imported = onnx_import.load(model)
    params = random_params(imported)
    onnx_import.export(imported, params, tmp_path / "out.onnx")
    saved = onnx.load(tmp_path / "out.onnx")
    assert [node.name for node in saved.graph.node] == ["features/conv", "flat", "head"]
    assert saved.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "samples"
    for batch in (1, 5):
        images = images_for(imported, batch)
        assert_same(
            run_onnx(tmp_path / "out.onnx", images), run_oracle(imported, images, params), 1e-4
        )


def test_missing_or_misshapen_parameter_is_named(imported: ImportedModel, tmp_path: Path) -> None:
    params = dict(imported.params)
    fc = params.pop("fc")
    with pytest.raises(ModelError, match="parameter 'fc' is missing"):
        onnx_import.export(imported, params, tmp_path / "out.onnx")
    with pytest.raises(ModelError, match="parameter 'fc': got float32"):
        onnx_import.export(imported, params | {"fc": fc.T}, tmp_path / "out.onnx")
    assert os.listdir(tmp_path) == []


def test_template_holds_no_large_weights(imported: ImportedModel) -> None:
    assert imported.template.ByteSize() < 2000 + 64 * 4 * 4
    assert not imported.constants


def test_a_large_constant_that_is_no_parameter_survives(tmp_path: Path) -> None:
    values = np.arange(128, dtype=np.float32).reshape(1, 128)
    nodes = [
        make_node("Slice", ["c", "from", "to", "axes"], ["part"]),
        make_node("Reshape", ["part", "shape"], ["scale"]),
        make_node("Mul", ["x", "scale"], ["y"]),
    ]
    weights = {"c": values, "from": np.array([8]), "to": np.array([12]), "axes": np.array([1]),
               "shape": np.array([4, 1, 1])}  # fmt: skip
    model = make_model(nodes, weights)
    imported = onnx_import.load(model)
    onnx_import.export(imported, imported.params, tmp_path / "out.onnx")
    images = images_for(imported)
    assert_same(run_onnx(tmp_path / "out.onnx", images), run_onnx(model, images), 0.0)
