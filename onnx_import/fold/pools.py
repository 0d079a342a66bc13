"""Evaluators of pooling, in any number of dimensions."""

from __future__ import annotations

import numpy as np

from onnx_import.errors import Unsupported
from onnx_import.fold.geometry import TAP, Geometry, geometry
from onnx_import.fold.table import Array, Call, folder, size_of


@folder("MaxPool")
def max_pool(call: Call, x: Array) -> list[Array]:
    g = _windows(call, x)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    best = np.full((*x.shape[:2], *g.output), least, x.dtype)
    at = np.zeros(best.shape, np.int64)
    found = np.zeros(best.shape, bool)
    places = g.padded(np.arange(x.size).reshape(x.shape), -1)
    for (_, taps), (_, place) in zip(g.taps(g.padded(x, least)), g.taps(places), strict=True):
        better = (place >= 0) & ((taps > best) | ~found)
        best, at = np.where(better, taps, best), np.where(better, place, at)
        found |= place >= 0
    if call.attributes.integer("storage_order", 0):
        at = _column_major(at, x.shape)
    return [best, at][: max(len(call.node.output), 1)]


def _column_major(at: Array, shape: tuple[int, ...]) -> Array:
    """Flat indices whose spatial part counts the first axis fastest."""
    spatial = shape[2:]
    plane, inside = at // size_of(spatial), np.unravel_index(at % size_of(spatial), spatial)
    return plane * size_of(spatial) + np.ravel_multi_index(inside, spatial, order="F")


@folder("AveragePool")
def average_pool(call: Call, x: Array) -> Array:
    g = _windows(call, x)
    total = sum(taps for _, taps in g.taps(g.padded(x, 0)))
    inside = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if call.attributes.integer("count_include_pad", 0):
        # Pads count, but not what ceil_mode reaches beyond them.
        whole = [(0, 0), (0, 0), *_declared(call, g)]
        inside = np.pad(inside, whole, constant_values=x.dtype.type(1))
        rest = [t - e for t, (_, e) in zip(g.tail, whole[2:], strict=True)]
        inside = np.pad(inside, [(0, 0), (0, 0), *((0, max(r, 0)) for r in rest)])
    else:
        inside = g.padded(inside, 0)
    return np.asarray(total / sum(taps for _, taps in g.taps(inside))).astype(x.dtype)


def _declared(call: Call, g: Geometry) -> list[tuple[int, int]]:
    """The pads that the node names; SAME pads are what the windows reach."""
    pads = call.attributes.integers("pads") or []
    if call.attributes.text("auto_pad", "NOTSET") != "NOTSET":
        return list(zip(g.head, g.tail, strict=True))
    rank = len(g.kernel)
    pads = pads or [0] * 2 * rank
    return list(zip(pads[:rank], pads[rank:], strict=True))


@folder("LpPool")
def lp_pool(call: Call, x: Array) -> Array:
    p = call.attributes.integer("p", 2)
    if p < 1:
        raise Unsupported(f"p {p} must be positive")
    g = _windows(call, x)
    total = sum(abs(taps) ** p for _, taps in g.taps(g.padded(x, 0)))
    return np.asarray(total ** (1 / p)).astype(x.dtype)


@folder("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call, x: Array) -> Array:
    if x.ndim < 3 or x.size == 0:
        raise Unsupported(f"its input {list(x.shape)} has nothing to pool")
    over = tuple(range(2, x.ndim))
    call.work(x.size)
    reduce = np.mean if call.node.op_type == "GlobalAveragePool" else np.max
    return np.asarray(reduce(x, over, keepdims=True)).astype(x.dtype)


def _windows(call: Call, x: Array) -> Geometry:
    if x.ndim < 3 or x.size == 0:
        raise Unsupported(f"its input {list(x.shape)} has nothing to pool")
    g = geometry(call, x.shape[2:], call.attributes.integers("kernel_shape") or [])
    grown = [s + a + b for s, a, b in zip(x.shape[2:], g.head, g.tail, strict=True)]
    call.make((2, *x.shape[:2], *grown), np.int64)
    call.make((3, *x.shape[:2], *g.output), np.int64)
    call.work((size_of((*x.shape[:2], *g.output)) + TAP) * size_of(g.kernel))
    return g
