"""Numbers that a conversion needs and that no training changes."""

from __future__ import annotations

import numpy as np

from onnx_import.builder import NodeContext
from onnx_import.imported import Slot, Transform
from onnx_import.untie import Request
from onnx_import.values import Known, Tensor


def scaled(ctx: NodeContext, tensor: Tensor, factor: float) -> Tensor:
    """The tensor times a number that is no parameter, under the node's output name."""
    c = tensor.shape[0]
    request = Request(
        Known.same(np.full((), factor, np.float32)),
        f"{ctx.output}.factor",
        "scale",
        Transform((c,), (c,)),
        Slot(ctx.output, 0),
        ctx.name,
        frozen=True,
    )
    param = ctx.builder.params.add(request)
    return ctx.like(tensor, "Affine", params=[param], has_shift=False)
