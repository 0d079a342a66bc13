"""Placements of a hypergraph's cells on ranks: one interface over several partitioners.

`native` is hpmp's own search. `kahypar` (GPL-3.0) and `mtkahypar` (MIT) are optional libraries that
run in a process of their own and only while planning.
"""

from pyhpmp.partitioners.partition import PARTITIONERS, partition
from pyhpmp.partitioners.portfolio import Placement, partition_best
from pyhpmp.partitioners.problem import HypergraphArrays, connectivity, imbalance

__all__ = [
    "PARTITIONERS",
    "HypergraphArrays",
    "Placement",
    "connectivity",
    "imbalance",
    "partition",
    "partition_best",
]
