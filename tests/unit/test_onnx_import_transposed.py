"""Transposed convolutions and pixel shuffles compute what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx_reference import assert_same, images_for, make_model, run_onnx, run_oracle

import onnx_import
from onnx_import import ModelError

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "pads": {"strides": [2, 2], "pads": [1, 0, 2, 1]},
    "output padding": {"strides": [2, 3], "pads": [1, 1, 1, 1], "output_padding": [1, 2]},
    "output padding of an unpadded one": {"strides": [2, 2], "output_padding": [1, 1]},
    "dilations": {"dilations": [2, 1], "strides": [1, 2]},
    "groups": {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
    "valid": {"auto_pad": "VALID", "strides": [2, 2]},
    "output shape": {"output_shape": [9, 11], "strides": [2, 2]},
    "longer output shape": {"output_shape": [11, 13], "strides": [3, 3], "auto_pad": "SAME_UPPER"},
}


def transposed(bias: bool = True, **attributes: Any) -> onnx.ModelProto:
    rng = np.random.default_rng(2)
    groups = int(attributes.get("group", 1))
    weights = {"w": rng.standard_normal((4, 6 // groups, 3, 3), dtype=np.float32)}
    if bias:
        weights["b"] = rng.standard_normal(6, dtype=np.float32)
    node = make_node("ConvTranspose", ["x", *weights], ["y"], **attributes)
    return make_model([node], weights, shape=("N", 4, 4, 5))


@pytest.mark.parametrize("name", CASES)
def test_transposed_convolutions_compute_what_onnxruntime_computes(name: str) -> None:
    for bias in (False, True):
        model = transposed(bias, **CASES[name])
        imported = onnx_import.load(model)
        images = images_for(imported)
        assert_same(run_oracle(imported, images), run_onnx(model, images))


@pytest.mark.parametrize("name", ["plain", "groups"])
def test_an_exported_transposed_convolution_has_the_given_weights(
    name: str, tmp_path: Path
) -> None:
    imported = onnx_import.load(transposed(**CASES[name]))
    params = {k: v * np.float32(1.5) + np.float32(0.1) for k, v in imported.params.items()}
    path = tmp_path / "out.onnx"
    onnx_import.export(imported, params, path)
    images = images_for(imported)
    assert_same(run_oracle(imported, images, params), run_onnx(path, images))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_become_pixels(mode: str) -> None:
    node = make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)
    model = make_model([node], shape=("N", 12, 3, 4))
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert_same(run_oracle(imported, images), run_onnx(model, images))


def test_pixels_become_channels() -> None:
    node = make_node("SpaceToDepth", ["x"], ["y"], blocksize=2)
    model = make_model([node], shape=("N", 3, 6, 4))
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert_same(run_oracle(imported, images), run_onnx(model, images))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [1, 1], "output_padding": [1, 1]},
        {"pads": [9, 9, 9, 9]},
        {"output_shape": [90, 90]},
        {"group": 3},
        {"kernel_shape": [2, 2]},
    ],
)
def test_impossible_transposed_convolutions_are_refused(attributes: dict[str, Any]) -> None:
    model = transposed()
    model.graph.node[0].CopyFrom(
        make_node("ConvTranspose", ["x", "w", "b"], ["y"], name="up", **attributes)
    )
    with pytest.raises(ModelError, match="ConvTranspose 'up'"):
        onnx_import.load(model)
