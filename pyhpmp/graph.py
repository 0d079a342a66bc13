"""A loaded model: the network's text on every rank, its weights and its file on rank 0."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyhpmp import _core, model_files, world
from pyhpmp.file_form import FileForm

if TYPE_CHECKING:
    from onnx_import import ModelProto

Params = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Graph:
    """name: as the user gave it. core: the network as imported.

    params: weights by name, on rank 0; empty elsewhere. template: what `save_onnx` writes the
    weights into, on rank 0. notes: what the importer wants said. form: of the input and the outputs
    in the model's file.
    """

    name: str
    core: _core.Graph
    params: Params = field(default_factory=dict, repr=False)
    template: Any = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    form: FileForm = field(default_factory=FileForm)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.core.input.shape

    @property
    def classes(self) -> int:
        """Features of the first output."""
        return self.core.outputs[0].shape[0]

    @property
    def label_pixels(self) -> tuple[int, ...]:
        """(H, W) of the labels of the first output; () where it says one class per image."""
        pixels = self.core.outputs[0].shape[1:]
        return () if pixels == (1, 1) else pixels

    @property
    def parameter_count(self) -> int:
        """Elements of all trainable parameters."""
        return sum(param.elems for param in self.core.params if param.trainable)


def load(
    model: str | os.PathLike[str] | ModelProto,
    *,
    classes: int | None = None,
    image: int | None = None,
    seed: int = 0,
) -> Graph:
    """Reads a model; collective: rank 0 reads the file, the others receive the network.

    Args:
        model: an ONNX file, `zoo:NAME` for a built-in network with random weights, or an
            onnx.ModelProto, which is left as it is.
        classes: outputs of a zoo network. image: side of its input. seed: of its weights.

    Raises:
        ModelError, UnsupportedOpError: with everything that is wrong, at once.
        InvalidArgumentError: an unknown zoo name, or an override for a file.
    """
    ranks = world.current()
    source = os.fspath(model) if isinstance(model, (str, os.PathLike)) else model
    name = source if isinstance(source, str) else "the model"
    found: list[model_files.Imported] = []

    def read() -> tuple[str, tuple[str, ...], FileForm]:
        imported = model_files.read(source, classes=classes, image=image, seed=seed)
        found.append(imported)
        _core.Graph.parse(imported.text)  # an error here is everybody's
        return imported.text, imported.notes, imported.form

    text, notes, form = ranks.on_root(read)
    core = _core.Graph.parse(text)
    if not found:
        return Graph(name, core, notes=notes, form=form)
    return Graph(name, core, found[0].params, found[0].template, notes, form)
