"""onnxruntime as the reference for imported and exported models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from oracle_graph import OracleGraph

import onnx_import
from onnx_import import ImportedModel

Case = Callable[[], onnx.ModelProto]


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def normals(generator: np.random.Generator) -> Callable[..., np.ndarray]:
    """Draws an array of the shape that it is called with."""
    return lambda *shape: generator.standard_normal(shape, dtype=np.float32)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    shape: Sequence[int | str] = ("N", 4, 6, 6),
    outputs: Sequence[str] = ("y",),
    opset: int = 21,
    ir_version: int = 10,
    **extra: Any,
) -> onnx.ModelProto:
    """A model with the input `x` and float outputs of unknown shape."""
    infos = [onnx.ValueInfoProto(name=name) for name in outputs]
    for info in infos:
        info.type.tensor_type.elem_type = TensorProto.FLOAT
    graph = helper.make_graph(
        list(nodes),
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        infos,
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(f.domain, 1) for f in extra.get("functions", ())]
    model = helper.make_model(graph, opset_imports=opsets, **extra)
    model.ir_version = ir_version
    return model


def run_onnx(model: onnx.ModelProto | Path, images: np.ndarray) -> list[np.ndarray]:
    """The model's outputs by onnxruntime, unoptimised."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    results: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: images})
    return results


def run_oracle(
    model: ImportedModel, images: np.ndarray, params: Mapping[str, np.ndarray] | None = None
) -> list[np.ndarray]:
    """The outputs of the imported graph by the torch oracle."""
    graph = OracleGraph(model.graph_text, model.params if params is None else params)
    native = [int(size) for size in model.graph_text.splitlines()[1].split()[-3:]]
    order = model.input_order
    moved = images.transpose(0, *(1 + order.index(a) for a in sorted(order))) if order else images
    with torch.no_grad():
        values = graph.run(moved.reshape(len(images), *native))
    outputs = [values[name].numpy() for name in model.output_names]
    return [
        y.transpose(0, *(1 + a for a in order), *range(1 + len(order), 4)) if order else y
        for y, order in zip(outputs, model.output_orders, strict=True)
    ]


def assert_same(
    got: Sequence[np.ndarray], wanted: Sequence[np.ndarray], tolerance: float = 1e-5
) -> None:
    """Equal but for trailing dimensions of 1; float32, relative to the largest element."""
    assert len(got) == len(wanted)
    for mine, reference in zip(got, wanted, strict=True):
        assert np.isfinite(reference).all()
        scale = max(float(abs(reference).max()), 1e-6)
        error = float(abs(mine.reshape(reference.shape) - reference).max())
        assert error <= tolerance * scale, f"error {error / scale}"


def assert_imported_same(model: onnx.ModelProto) -> None:
    """The imported graph computes what onnxruntime computes."""
    imported = onnx_import.load(model)
    images = images_for(imported)
    assert_same(run_oracle(imported, images), run_onnx(model, images))


def assert_exported_same(model: onnx.ModelProto, path: Path) -> None:
    """The model that is exported to `path` with other weights computes with these."""
    imported = onnx_import.load(model)
    params = dict(imported.params)
    for binding in imported.bindings:
        params[binding.param] = params[binding.param] * np.float32(1.25) + np.float32(0.1)
    onnx_import.export(imported, params, path)
    images = images_for(imported)
    assert_same(run_oracle(imported, images, params), run_onnx(path, images))


def random_params(model: ImportedModel, seed: int = 0, gain: float = 1.0) -> dict[str, np.ndarray]:
    """Random values for all parameters that are not frozen, of a scale that keeps signals."""
    rng = np.random.default_rng(seed)
    params = dict(model.params)
    for name, declared in OracleGraph(model.graph_text, model.params).declared.items():
        shape = tuple(declared.dims)
        if declared.frozen:
            continue
        if declared.role == "weight":
            std = gain * np.sqrt(2 / np.prod(shape[1:]))
            params[name] = rng.standard_normal(shape, dtype=np.float32) * np.float32(std)
        elif declared.role in ("scale", "running_var"):
            params[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            params[name] = rng.uniform(-0.1, 0.1, shape).astype(np.float32)
    return params


def images_for(model: ImportedModel, batch: int = 3, seed: int = 1) -> np.ndarray:
    """Random images of the shape that the template declares."""
    dims = model.template.graph.input[0].type.tensor_type.shape.dim
    shape = [d.dim_value or batch for d in dims]
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
