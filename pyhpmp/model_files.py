"""Models from and to files: the one place that calls the ONNX package."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyhpmp.errors import InvalidArgumentError, ModelError
from pyhpmp.file_form import FileForm

if TYPE_CHECKING:
    from onnx_import import ImportedModel, Inspection, Issue

ZOO = "zoo:"


@dataclass(frozen=True)
class Imported:
    """text: of the native graph. template: what `write` needs back. notes: for the user.

    form: of the input and the outputs in the model's file.
    """

    text: str
    params: dict[str, npt.NDArray[np.float32]]
    template: Any
    notes: tuple[str, ...]
    form: FileForm = field(default_factory=FileForm)


def read(model: object, *, classes: int | None, image: int | None, seed: int) -> Imported:
    """Imports a file, a zoo network or an onnx.ModelProto.

    Raises:
        ModelError: one line with everything that is wrong.
        InvalidArgumentError: an unknown zoo network, or an override for a file.
    """
    import onnx_import

    try:
        source = _source(model, classes=classes, image=image, seed=seed)
        imported = onnx_import.load(source)
    except onnx_import.ModelError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot read {model}: {error.strerror or error}") from error
    form = FileForm(
        imported.input_order, tuple(imported.output_dims), tuple(imported.output_orders)
    )
    notes = tuple(imported.warnings)
    return Imported(imported.graph_text, imported.params, imported, notes, form)


def _source(model: object, *, classes: int | None, image: int | None, seed: int) -> Any:
    """What the importer takes: a path, or a model in memory."""
    if isinstance(model, str) and model.startswith(ZOO):
        from onnx_import.zoo import build

        return build(model.removeprefix(ZOO), classes=classes, image=image, seed=seed)
    if classes is not None or image is not None:
        raise InvalidArgumentError(f"{model}: --classes and --image change zoo networks, not files")
    return model


def inspect(model: str, *, classes: int | None, image: int | None, seed: int) -> Inspection:
    """What is in a model, whether or not it can be used.

    Raises:
        ModelError, InvalidArgumentError: an unknown zoo network, or an override for a file.
    """
    import onnx_import

    try:
        source = _source(model, classes=classes, image=image, seed=seed)
    except onnx_import.ModelError as error:
        raise ModelError(str(error)) from error
    found = onnx_import.inspect_model(source)
    found.model = model
    return found


def safe_text(text: str) -> str:
    """Text from a file, made one printable line."""
    import onnx_import

    return onnx_import.safe_text(text)


def grouped(issues: Sequence[Issue]) -> dict[tuple[str, str], list[str]]:
    """The nodes of every (operator, reason)."""
    import onnx_import

    return onnx_import.grouped(issues)


def write(
    path: str | os.PathLike[str],
    template: ImportedModel,
    params: dict[str, npt.NDArray[np.float32]],
    initial: dict[str, npt.NDArray[np.float32]],
) -> None:
    """Writes the trained model, whole or not at all.

    Args:
        params: trained weights. initial: of parameters that no output depends on.
    """
    import onnx_import

    try:
        onnx_import.export(template, {**initial, **params}, path)
    except onnx_import.ModelError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {path}: {error.strerror or error}") from error
