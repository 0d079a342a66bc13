"""Kernels, strides and pads of sliding windows in any number of dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.table import Array, Call

_LARGEST = 2**16
#: What a turn of a Python loop costs, in operations of NumPy.
TAP = 10_000


@dataclass(frozen=True)
class Geometry:
    """Windows over the spatial axes of one value; every field has one entry per axis.

    Attributes:
        output: how many windows there are.
        tail: pads at the end that the windows reach, ceil_mode's surplus included.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    head: tuple[int, ...]
    tail: tuple[int, ...]
    output: tuple[int, ...]

    def padded(self, x: Array, fill: float) -> Array:
        """`x` (N, C, ...) with its spatial pads."""
        widths = [(0, 0), (0, 0), *zip(self.head, self.tail, strict=True)]
        return np.pad(x, widths, constant_values=x.dtype.type(fill))

    def taps(self, padded: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
        """For each offset in the kernel, the elements (N, C, *output) that it meets."""
        for offset in np.ndindex(*self.kernel):
            cut = [
                slice(o * d, o * d + (n - 1) * s + 1, s)
                for o, d, n, s in zip(
                    offset, self.dilations, self.output, self.strides, strict=True
                )
            ]
            yield offset, padded[(slice(None), slice(None), *cut)]


def geometry(call: Call, size: Sequence[int], kernel: Sequence[int]) -> Geometry:
    """Reads and checks a node's window attributes against the spatial `size` of its input."""
    rank = len(size)
    strides = positive(call, "strides", rank)
    dilations = positive(call, "dilations", rank)
    if len(kernel) != rank or not all(1 <= k < _LARGEST for k in kernel):
        raise Unsupported(f"kernel {list(kernel)} does not fit {rank} spatial axes")
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    head, tail = _pads(call, size, extent, strides)
    ceil_mode = bool(call.attributes.integer("ceil_mode", 0))
    output, reach = [], []
    for n, e, s, a, b in zip(size, extent, strides, head, tail, strict=True):
        count = (n + a + b - e + (s - 1 if ceil_mode else 0)) // s + 1
        # The last window must start inside the input or its leading pad.
        count -= ceil_mode and (count - 1) * s >= n + a
        if count < 1:
            raise Unsupported(f"its window of {e} is larger than its padded input, {n + a + b}")
        output.append(count)
        reach.append(max(b, (count - 1) * s + e - n - a))
    return Geometry(
        tuple(kernel), strides, dilations, tuple(head), tuple(reach), tuple(output)
    )  # fmt: skip


def positive(call: Call, name: str, rank: int) -> tuple[int, ...]:
    """An attribute of one positive number per axis, 1 where missing."""
    values = call.attributes.integers(name) or [1] * rank
    if len(values) != rank or not all(1 <= v < _LARGEST for v in values):
        raise Unsupported(f"{name} {values} must be {rank} numbers from 1 to {_LARGEST - 1}")
    return tuple(values)


def _pads(
    call: Call, size: Sequence[int], extent: Sequence[int], strides: Sequence[int]
) -> tuple[list[int], list[int]]:
    mode, rank = call.attributes.text("auto_pad", "NOTSET"), len(size)
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, e, s in zip(size, extent, strides, strict=True)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        return (small, large) if mode == "SAME_UPPER" else (large, small)
    pads = call.attributes.integers("pads") or [0] * 2 * rank
    if len(pads) != 2 * rank or not all(0 <= p < _LARGEST for p in pads):
        raise Unsupported(f"pads {pads} must be {2 * rank} numbers from 0 to {_LARGEST - 1}")
    return pads[:rank], pads[rank:]
