"""Evaluators of convolution and transposed convolution, in any number of dimensions."""

from __future__ import annotations

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.geometry import TAP, geometry, positive
from onnx_import.fold.table import Array, Call, folder, size_of


@folder("Conv")
def conv(call: Call, x: Array, w: Array, b: Array | None = None) -> Array:
    groups = _groups(call, x, w)
    if w.shape[0] % groups or w.shape[1] * groups != x.shape[1]:
        raise Unsupported(f"its weight {w.shape} does not fit {x.shape[1]} input channels")
    g = geometry(call, x.shape[2:], w.shape[2:])
    n, k = x.shape[0], w.shape[0]
    spatial = zip(x.shape[2:], g.head, g.tail, strict=True)
    call.make((2, n, k, *g.output), x.dtype)
    call.make((*x.shape[:2], *(size + a + b for size, a, b in spatial)), x.dtype)
    call.work(n * size_of(w.shape) * size_of(g.output) + TAP * size_of(g.kernel))
    y = np.zeros((n, groups, k // groups, size_of(g.output)), x.dtype)
    weight = w.reshape(groups, k // groups, *w.shape[1:])
    for offset, taps in g.taps(g.padded(x, 0)):
        columns = taps.reshape(n, groups, w.shape[1], -1)
        y += np.matmul(_tap(weight, offset), columns)
    return _biased(y.reshape(n, k, *g.output), b)


@folder("ConvTranspose")
def conv_transpose(call: Call, x: Array, w: Array, b: Array | None = None) -> Array:
    groups, rank = _groups(call, x, w), x.ndim - 2
    if w.shape[0] != x.shape[1] or x.shape[1] % groups:
        raise Unsupported(f"its weight {w.shape} does not fit {x.shape[1]} input channels")
    strides, dilations = positive(call, "strides", rank), positive(call, "dilations", rank)
    whole = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(x.shape[2:], strides, w.shape[2:], dilations, strict=True)
    ]
    head, output = _transposed_output(call, x.shape[2:], whole, strides)
    n, k = x.shape[0], w.shape[1]
    room = [max(a, h + o) for a, h, o in zip(whole, head, output, strict=True)]
    call.make((2, n, groups * k, *room), x.dtype)
    call.work(n * size_of(w.shape) * size_of(x.shape[2:]) + TAP * size_of(w.shape[2:]))
    y = np.zeros((n, groups * k, *room), x.dtype)
    columns = x.reshape(n, groups, x.shape[1] // groups, -1)
    weight = w.reshape(groups, w.shape[0] // groups, k, *w.shape[2:]).swapaxes(1, 2)
    for offset in np.ndindex(*w.shape[2:]):
        part = np.matmul(_tap(weight, offset), columns).reshape(n, groups * k, *x.shape[2:])
        at = [
            slice(o * d, o * d + (m - 1) * s + 1, s)
            for o, d, m, s in zip(offset, dilations, x.shape[2:], strides, strict=True)
        ]
        y[(slice(None), slice(None), *at)] += part
    kept = [slice(h, h + o) for h, o in zip(head, output, strict=True)]
    return _biased(y[(slice(None), slice(None), *kept)], b)


def _tap(weight: Array, offset: tuple[int, ...]) -> Array:
    """The matrices (groups, out, in) of one place in the kernel."""
    where: tuple[slice | int, ...] = (slice(None), slice(None), slice(None), *offset)
    return weight[where]


def _groups(call: Call, x: Array, w: Array) -> int:
    groups = call.attributes.integer("group", 1)
    if groups < 1 or x.ndim != w.ndim or x.ndim < 3 or 0 in w.shape:
        raise Unsupported(f"group {groups} or its weight {w.shape} does not fit {x.shape}")
    return groups


def _transposed_output(
    call: Call, size: tuple[int, ...], whole: list[int], strides: tuple[int, ...]
) -> tuple[list[int], list[int]]:
    """Leading pads and output size of a transposed convolution."""
    rank, mode = len(size), call.attributes.text("auto_pad", "NOTSET")
    extra = call.attributes.integers("output_padding") or [0] * rank
    pads = call.attributes.integers("pads") or [0] * 2 * rank
    given = call.attributes.integers("output_shape")
    if any(len(v) != n for v, n in ((extra, rank), (pads, 2 * rank))) or min([*extra, *pads]) < 0:
        raise Unsupported(f"pads {pads} and output_padding {extra} do not fit {rank} axes")
    if given is None and mode.startswith("SAME"):
        given = [n * s for n, s in zip(size, strides, strict=True)]
    if given is None:
        head = [0] * rank if mode == "VALID" else pads[:rank]
        tail = [0] * rank if mode == "VALID" else pads[rank:]
        output = [w + e - a - b for w, e, a, b in zip(whole, extra, head, tail, strict=True)]
    else:
        output = given[-rank:]
        total = [w + e - o for w, e, o in zip(whole, extra, output, strict=True)]
        upper = mode == "SAME_UPPER"
        head = [t // 2 if upper else t - t // 2 for t in total]
    if len(output) != rank or min(output) < 1 or min(head) < 0:
        raise Unsupported(f"its output would have the size {output}")
    return head, output


def _biased(y: Array, b: Array | None) -> Array:
    return y if b is None else y + b.reshape(-1, *[1] * (y.ndim - 2))
