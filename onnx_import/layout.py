"""What the order of an activation's axes means for constants and for messages."""

from __future__ import annotations

import math

from onnx_import.errors import Unsupported
from onnx_import.values import Tensor


def check_per_channel(shape: tuple[int, ...], x: Tensor, what: str) -> None:
    """Errors: `Unsupported` unless a constant of `shape` gives x one number per channel, or one."""
    wanted = [1, *(1 for _ in x.dims)]
    wanted[1 + x.channel_axis()] = x.shape[0]
    aligned = [1] * (len(wanted) - len(shape)) + list(shape)
    if math.prod(shape) != 1 and aligned != wanted:
        raise Unsupported(f"its {what} has the shape {shape}; one number per channel is needed")


def transposition(tensor: Tensor) -> str:
    """How a map is transposed, and what to do where that is in the way."""
    axes = "N" + "".join("CHW"[axis] for axis in tensor.order)
    return (
        f"transposed to {axes}, which only layers that work channel by channel or on the channels "
        "of each pixel can read; export with channels first (NCHW)"
    )
