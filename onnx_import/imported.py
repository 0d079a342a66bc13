"""The result of an import: a native graph, its weights, and the way back to ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx


@dataclass(frozen=True)
class Columns:
    """Of the weight of a dense layer that reads flattened maps: how its columns stand in ONNX.

    Attributes:
        shape: (C, H, W) of the native maps.
        order: the native axis at each dimension of the maps that were flattened, (1, 2, 0) for
            channels last.
    """

    shape: tuple[int, int, int]
    order: tuple[int, ...]

    def to_native(self, rows: np.ndarray) -> np.ndarray:
        """(out, in) with the columns in native order."""
        maps = rows.reshape(-1, *(self.shape[axis] for axis in self._axes))
        places = (1 + self._axes.index(axis) for axis in range(3))
        return maps.transpose(0, *places).reshape(rows.shape)

    def to_onnx(self, rows: np.ndarray) -> np.ndarray:
        """The inverse."""
        maps = rows.reshape(-1, *self.shape)
        return maps.transpose(0, *(1 + axis for axis in self._axes)).reshape(rows.shape)

    @property
    def _axes(self) -> tuple[int, ...]:
        """Of lines, too: their width of 1 stands last."""
        return (*self.order, *range(len(self.order), 3))


@dataclass(frozen=True)
class Transform:
    """How a native parameter follows from the ONNX tensor: (tensor * factor) ** power, moved.

    Attributes:
        onnx_shape: of the tensor that the ONNX node reads.
        native_shape: (rows, ...) of the native parameter.
        transposed: the ONNX matrix is (in, out), the native one (out, in) or (out, in, 1, 1).
        swapped: of a transposed convolution with so many groups, each (in, out, ...) in ONNX and
            (out, in, ...) in the native weight; 0 for others.
        factor: Gemm's alpha or beta, or -1 for a subtrahend.
        power: -1 for a divisor, else 1.
        columns: where those of the weight stand in another order.
    """

    onnx_shape: tuple[int, ...]
    native_shape: tuple[int, ...]
    transposed: bool = False
    factor: float = 1.0
    power: int = 1
    swapped: int = 0
    columns: Columns | None = None

    def to_native(self, tensor: np.ndarray) -> np.ndarray:
        """A float32 C-contiguous array of `native_shape`; `tensor` itself where nothing moves."""
        array = tensor.T if self.transposed else tensor
        if array.size == 1:
            array = np.broadcast_to(array.reshape(()), self.onnx_shape)
        if self.columns:
            array = self.columns.to_native(array)
        array = self._swapped(array) if self.swapped else array.reshape(self.native_shape)
        with np.errstate(all="ignore"):
            if self.factor != 1.0:
                array = array * np.float32(self.factor)
            if self.power == -1:
                array = np.reciprocal(array)
        return np.require(array, np.float32, ["C", "W"])

    def to_onnx(self, param: np.ndarray) -> np.ndarray:
        """The inverse of `to_native`."""
        with np.errstate(all="ignore"):
            array = np.reciprocal(param) if self.power == -1 else param
            if self.factor != 1.0:
                array = array / np.float32(self.factor)
        if self.swapped:
            return self._swapped(array).reshape(self.onnx_shape)
        if self.columns:
            array = self.columns.to_onnx(array)
        if self.transposed:
            return array.reshape(self.onnx_shape[::-1]).T
        return array.reshape(self.onnx_shape)

    def _swapped(self, array: np.ndarray) -> np.ndarray:
        """The first two dimensions exchanged within every group; its own inverse."""
        rows, each, *kernel = array.shape
        grouped = array.reshape(self.swapped, rows // self.swapped, each, *kernel).swapaxes(1, 2)
        return grouped.reshape(self.swapped * each, rows // self.swapped, *kernel)


@dataclass(frozen=True)
class Slot:
    """An input of a template's node, which is found by its first output."""

    node_output: str
    index: int


@dataclass(frozen=True)
class ParamBinding:
    """Which inputs of the template a native parameter came from.

    Attributes:
        param: the native name.
        initializer: the ONNX value that the slots read; an initializer where `direct`.
        direct: False where the value is computed (Identity, ConstantOfShape, arithmetic).
        transform: from the ONNX tensor to the native array.
        slots: several where one initializer is deliberately shared.
    """

    param: str
    initializer: str
    direct: bool
    transform: Transform
    slots: tuple[Slot, ...]


@dataclass
class ImportedModel:
    """A model ready for planning.

    Attributes:
        graph_text: the native graph, without weights and without a batch dimension.
        params: native name to float32 C-contiguous array, dimension 0 = output channel.
        bindings: where each trainable parameter and running statistic belongs in the template.
        template: the model in opset 21; large initializers have no bytes here.
        constants: arrays of the template's large initializers that are no parameters.
        input_name: of the image input.
        input_order: where the file's input has its channels last, the native axis (0, 1, 2 for C,
            H, W) at each of its dimensions after the batch, (1, 2, 0); else empty. The native
            input is (N, C, H, W) in any case.
        output_names: in the order of the ONNX file.
        warnings: one line each, for the user.
        output_dims: ONNX dimensions of each output after the batch; the native value holds the
            same elements, in the same order where its entry of `output_orders` is empty.
        output_orders: as `input_order`, of each output.
    """

    graph_text: str
    params: dict[str, np.ndarray]
    bindings: list[ParamBinding]
    template: onnx.ModelProto
    input_name: str
    output_names: list[str]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    input_order: tuple[int, ...] = ()
    output_dims: list[tuple[int, ...]] = field(default_factory=list)
    output_orders: list[tuple[int, ...]] = field(default_factory=list)
