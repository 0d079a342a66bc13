"""Models from and to files: the one place that calls the ONNX package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyhpmp.errors import InvalidArgumentError, ModelError

if TYPE_CHECKING:
    from onnx_import import ImportedModel

ZOO = "zoo:"


@dataclass(frozen=True)
class Imported:
    """text: of the native graph. template: what `write` needs back. notes: for the user.

    output_dims: of every output after the batch, as the model's file has them.
    """

    text: str
    params: dict[str, npt.NDArray[np.float32]]
    template: Any
    notes: tuple[str, ...]
    output_dims: tuple[tuple[int, ...], ...] = ()


def read(model: object, *, classes: int | None, image: int | None, seed: int) -> Imported:
    """Imports a file, a zoo network or an onnx.ModelProto.

    Raises:
        ModelError: one line with everything that is wrong.
        InvalidArgumentError: an unknown zoo network, or an override for a file.
    """
    import onnx_import

    try:
        if isinstance(model, str) and model.startswith(ZOO):
            name = model.removeprefix(ZOO)
            imported = _from_zoo(name, classes=classes, image=image, seed=seed)
        elif classes is not None or image is not None:
            raise InvalidArgumentError(
                f"{model}: --classes and --image change zoo networks, not files"
            )
        else:
            imported = onnx_import.load(model)  # type: ignore[arg-type]
    except onnx_import.ModelError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot read {model}: {error.strerror or error}") from error
    dims, notes = tuple(imported.output_dims), tuple(imported.warnings)
    return Imported(imported.graph_text, imported.params, imported, notes, dims)


def _from_zoo(name: str, *, classes: int | None, image: int | None, seed: int) -> ImportedModel:
    import onnx_import
    from onnx_import.zoo import build

    return onnx_import.load(build(name, classes=classes, image=image, seed=seed))


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
