"""What a name in an ONNX graph can stand for while the graph is converted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx_import.errors import Unsupported

#: Two batch sizes; a constant that is equal at both does not depend on the batch.
BATCH_POINTS = (6, 10)

#: Operators that depend on no activation and yet are no constants.
SOURCES = ("RandomUniformLike", "Bernoulli")

#: Where a constant comes from; decides whether it is a parameter and which node owns it.
#: `fresh` is a ConstantOfShape, `alias` an initializer seen through a change of shape or Identity.
Origin = Literal["initializer", "alias", "fresh", "constant", "computed"]


@dataclass(frozen=True)
class Known:
    """A constant, evaluated at both batch points; `at[0] is at[1]` where they agree.

    Attributes:
        source: the initializer that it is, or is another shape of; empty where it has a name of
            its own (Identity) or is computed.
    """

    at: tuple[np.ndarray, np.ndarray]
    origin: Origin = "computed"
    source: str = ""

    @staticmethod
    def same(array: np.ndarray, origin: Origin = "computed") -> Known:
        return Known((array, array), origin)

    def array(self, what: str) -> np.ndarray:
        """The one value. Errors: `Unsupported` if it depends on the batch."""
        if self.at[0] is not self.at[1]:
            raise Unsupported(f"{what} depends on the batch size")
        return self.at[0]

    def integers(self, what: str) -> list[int]:
        return [int(i) for i in self._few(what, "iub", "integers")]

    def reals(self, what: str) -> list[float]:
        return [float(r) for r in self._few(what, "fiub", "numbers")]

    def _few(self, what: str, kinds: str, name: str) -> np.ndarray:
        array = self.array(what)
        if array.dtype.kind not in kinds or array.size > 64:
            raise Unsupported(f"{what} must be a few {name}, not {array.dtype} {array.shape}")
        return array.reshape(-1)

    def scalar(self, what: str) -> float:
        array = self.array(what)
        if array.size != 1:
            raise Unsupported(f"{what} must be one number, not {array.shape}")
        return float(array.reshape(()))


@dataclass(frozen=True)
class Tensor:
    """An activation: a native value, and the shape under which the ONNX graph sees it.

    Elements of one sample keep their order in every reshape, so a reshape changes `dims` alone. A
    transposed map is never moved in memory: it carries the order of its axes.

    Attributes:
        name: of the native value.
        shape: (C, H, W) of the native value.
        dims: the ONNX dimensions after the batch; their product is that of `shape`.
        onnx_name: of the ONNX value.
        order: where the map is transposed, the native axis (0, 1, 2 for C, H, W) that stands at
            each place of `dims`, (1, 2, 0) for channels last; else empty.
    """

    name: str
    shape: tuple[int, int, int]
    dims: tuple[int, ...]
    onnx_name: str
    order: tuple[int, ...] = ()

    def elements(self) -> int:
        return math.prod(self.shape)

    def is_map(self) -> bool:
        """The ONNX value is (N, C, H, W) with the native C, H and W, or (N, C, L), W being 1."""
        line = len(self.dims) == 2 and (*self.dims, 1) == self.shape
        return (self.dims == self.shape or line) and not self.order

    def channel_axis(self) -> int:
        """Where the channels stand in `dims`, of a map, features or a transposed map."""
        return self.order.index(0) if self.order else 0

    def dims_of(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """The dimensions of a value of `shape` in the form of this one: features, map, order."""
        if self.order:
            return tuple(shape[axis] for axis in self.order)
        return shape[: len(self.dims)]

    def moves_elements(self) -> bool:
        """Whether the ONNX value has its elements in another order than the native one."""
        moved = [axis for axis in self.order if self.shape[axis] != 1]
        return moved != sorted(moved)

    def is_features(self) -> bool:
        """The ONNX value is (N, F) and the native one (F, 1, 1)."""
        return self.dims == (self.shape[0],) and self.shape[1:] == (1, 1)


@dataclass(frozen=True)
class Padding:
    """What a padded map is made of: `inner` and `pads` (top, left, bottom, right) of `value`."""

    inner: Tensor
    pads: tuple[int, ...]
    value: float


@dataclass(frozen=True)
class Poison:
    """The output of a node that could not be converted, or stands behind one.

    Attributes:
        of_input: it depends on the network's input.
        op, node: the operator and the name of the node that failed.
    """

    of_input: bool
    op: str
    node: str


@dataclass(frozen=True)
class Parts:
    """A sequence of activations, as splits of the newer exporter make it."""

    tensors: tuple[Tensor, ...]


@dataclass(frozen=True)
class Lined:
    """The elements of all samples of `tensor` in one dimension, in their order."""

    tensor: Tensor


@dataclass(frozen=True)
class Flat:
    """The elements of each sample of a transposed map in one dimension, in the transposed order."""

    tensor: Tensor


@dataclass(frozen=True)
class Draw:
    """Random numbers: uniform ones from 0 to 1, or after a comparison ones and zeros.

    Attributes:
        dims: the dimensions after the batch.
        kept: the probability of a one; None while the numbers are uniform.
        factor: what the ones are multiplied with.
    """

    dims: tuple[int, ...]
    kept: float | None = None
    factor: float = 1.0


Value = Known | Tensor | Poison | Parts | Lined | Flat | Draw
