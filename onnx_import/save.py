"""Writes trained parameters back into the model they were imported from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from onnx_import.detach import detach, placeholder
from onnx_import.errors import ModelError
from onnx_import.imported import ImportedModel, ParamBinding
from onnx_import.write import EXTERNAL_ABOVE_BYTES, write_model

_LOCAL_PATH = re.compile(
    r"""File\ "|file://|[A-Za-z]:\\|\.py\b|
    (^|[\s"'=:(\[,])/(home|root|usr|opt|tmp|Users|var|mnt|data|work|srv|private)/""",
    re.VERBOSE,
)


def export(
    imported: ImportedModel,
    params: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
    *,
    external_above_bytes: int = EXTERNAL_ABOVE_BYTES,
) -> None:
    """Writes the model with new parameters, for inference: IR 10, opset 21.

    Names, dynamic dimensions and metadata are those of the imported file, except for metadata
    that names local files. The file appears complete or not at all.

    Args:
        imported: what `load` returned.
        params: native name to float32 array of the native shape; names that are not bound in
            `imported.bindings` are ignored.
        path: of the new file.
        external_above_bytes: weights above this size go to `path` + ".data".

    Errors: `ModelError` for a missing parameter or a wrong shape; `OSError`.
    """
    model = onnx.ModelProto()
    model.CopyFrom(imported.template)
    detach(model.graph, imported.bindings)
    arrays = dict(imported.constants)
    _name_params(model.graph, imported, params, arrays)
    _put_initializers(model.graph, arrays)
    _strip_local_paths(model)
    write_model(model, arrays, Path(os.fspath(path)), external_above_bytes)


def _name_params(
    graph: onnx.GraphProto,
    imported: ImportedModel,
    params: Mapping[str, np.ndarray],
    arrays: dict[str, np.ndarray],
) -> None:
    """Replaces the placeholders by names, and puts the parameters' values into `arrays`."""
    taken = {name for node in graph.node for name in node.output}
    taken.update(i.name for i in graph.input)
    # The shape of a parameter is the same whatever its value.
    taken.update(name for node in graph.node if node.op_type != "Shape" for name in node.input)
    names: dict[str, str] = {}
    for index, binding in enumerate(imported.bindings):
        name = binding.param
        while name in taken:
            name += "_trained"
        taken.add(name)
        names[placeholder(index)] = name
        arrays[name] = binding.transform.to_onnx(_param(params, binding))
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


def _param(params: Mapping[str, np.ndarray], binding: ParamBinding) -> np.ndarray:
    if binding.param not in params:
        raise ModelError(f"cannot export: parameter {binding.param!r} is missing")
    array = np.asarray(params[binding.param])
    if array.dtype != np.float32 or array.shape != binding.transform.native_shape:
        raise ModelError(
            f"cannot export parameter {binding.param!r}: got {array.dtype} {array.shape}, "
            f"float32 {binding.transform.native_shape} is needed"
        )
    return array


def _put_initializers(graph: onnx.GraphProto, arrays: Mapping[str, np.ndarray]) -> None:
    """Replaces or adds the initializers named in `arrays`, without bytes, in place."""
    known = set()
    for tensor in graph.initializer:
        if tensor.name in arrays:
            known.add(tensor.name)
            tensor.ClearField("raw_data")
            tensor.dims[:] = arrays[tensor.name].shape
    for name, array in arrays.items():
        if name not in known:
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.initializer.add(name=name, data_type=kind, dims=array.shape)


def _is_local(text: str | bytes) -> bool:
    """Whether it names a local file; what is not UTF-8 comes as bytes, and goes as well."""
    return not isinstance(text, str) or bool(_LOCAL_PATH.search(text))


def _strip_local_paths(model: onnx.ModelProto) -> None:
    """Removes documentation and metadata that quote source files of the exporting machine."""
    graph = model.graph
    holders = [model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    for holder in holders:
        if _is_local(holder.doc_string):
            holder.ClearField("doc_string")
        kept = [entry for entry in holder.metadata_props if not _is_local(entry.value)]
        if len(kept) < len(holder.metadata_props):
            del holder.metadata_props[:]
            holder.metadata_props.extend(kept)
