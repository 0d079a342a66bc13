"""What the network's input may be natively: its channels stand first or last."""

from __future__ import annotations

from onnx_import.values import Tensor


def input_forms(name: str, dims: tuple[int, ...]) -> list[Tensor]:
    """What the ONNX input of `dims` (after the batch) may be, the likeliest first.

    (F) is F channels of one pixel, (C, L) a map of width 1 or of height 1. Channels may stand last,
    as Keras has them: (L, C) and (H, W, C).
    """
    forms: list[tuple[tuple[int, int, int], tuple[int, ...]]]
    if len(dims) == 1:
        forms = [((dims[0], 1, 1), ())]
    elif len(dims) == 2:
        a, b = dims
        forms = [((a, b, 1), ()), ((a, 1, b), ()), ((b, a, 1), (1, 0))]
    else:
        a, b, c = dims
        forms = [((a, b, c), ()), ((c, a, b), (1, 2, 0))]
    return [Tensor(name, shape, dims, name, order) for shape, order in forms]
