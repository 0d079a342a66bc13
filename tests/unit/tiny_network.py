"""A network small enough for every test: a branch that is added to and a dense head."""

from __future__ import annotations

import numpy as np

from pyhpmp import _core
from pyhpmp.graph import Graph, Params

BATCH, CLASSES, SHAPE = 16, 10, (3, 8, 8)

TEXT = """\
hpmp-graph 1
input x 3 8 8
param stem.w weight 32 3 3 3
param bn.scale scale 32
param bn.shift shift 32
param bn.mean running_mean 32
param bn.var running_var 32
param branch.w weight 32 32 1 1
param head.w weight 10 32
param head.b bias 10
node Conv stem : x : stem.w : stem kernel=3,3 pads=1,1,1,1
node BatchNormalization bn : stem : bn.scale bn.shift bn.mean bn.var : bn
node Relu relu : bn : : relu
node Conv branch : relu : branch.w : branch kernel=1,1
node Add add : relu branch : : add
node GlobalAveragePool pool : add : : pool
node Flatten flat : pool : : flat
node Dense head : flat : head.w head.b : y
output y
"""


def params(seed: int = 0) -> Params:
    """Small random weights; batch-norm starts neutral."""
    generator = np.random.default_rng(seed)
    start = {"scale": 1.0, "running_var": 1.0, "shift": 0.0, "running_mean": 0.0}
    return {
        info.name: np.full(info.dims, start[info.role], np.float32)
        if info.role in start
        else (0.1 * generator.standard_normal(info.dims)).astype(np.float32)
        for info in _core.Graph.parse(TEXT).params
    }


def graph(rank: int = 0) -> Graph:
    """As `pyhpmp.load` would give it: weights on rank 0 only."""
    return Graph("tiny", _core.Graph.parse(TEXT), params() if rank == 0 else {})


def batch(samples: int = BATCH, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    images = generator.standard_normal((samples, *SHAPE), dtype=np.float32)
    return images, generator.integers(0, CLASSES, samples)
