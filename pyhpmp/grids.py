"""The grids that one network may be cut by: shard counts, and hypergraphs made once each."""

from __future__ import annotations

from pyhpmp import _core
from pyhpmp.errors import InfeasiblePlanError
from pyhpmp.request import Request

SHARD_FACTORS = (1, 2, 4, 8, 16)
DEFAULT_GROUP = 32  # samples that share batch statistics, in larger batches


class Grids:
    """Hypergraphs of one network by shard count.

    A coarse one has few channel blocks per layer: enough to share every layer out, and few enough
    to try thousands of placements.
    """

    def __init__(self, graph: _core.Graph, request: Request) -> None:
        self._graph, self._request = graph, request
        self._made: dict[tuple[int, bool], _core.Hypergraph] = {}

    def fine(self, shards: int) -> _core.Hypergraph:
        return self._get(shards, False)

    def coarse(self, shards: int) -> _core.Hypergraph:
        return self._get(shards, True)

    def _get(self, shards: int, coarse: bool) -> _core.Hypergraph:
        if (shards, coarse) not in self._made:
            self._made[shards, coarse] = self._hypergraph(shards, coarse)
        return self._made[shards, coarse]

    def _hypergraph(self, shards: int, coarse: bool) -> _core.Hypergraph:
        request = self._request
        hypergraph = _core.Hypergraph(
            self._graph,
            batch=request.batch,
            shards=shards,
            most_blocks=max(8, 2 * request.ranks) if coarse else 0,
            bn_group=request.bn_group,
            bn_sync=request.bn_sync,
            training=request.training,
            dtype=request.dtype,
            optimizer=request.optimizer,
        )
        if hypergraph.cells < request.ranks:
            raise InfeasiblePlanError(
                f"{request.ranks} ranks are more than the {hypergraph.cells} cells that the model "
                f"has with {shards} shards; use fewer ranks or more --shards"
            )
        return hypergraph


def shard_counts(graph: _core.Graph, request: Request) -> list[int]:
    """Shard counts worth trying: K to 16K where the batch and its statistics groups allow.

    More than one shard helps a single rank with its memory only.
    """
    if request.shards is not None:
        return [request.shards]
    if request.ranks == 1 and not request.memory_bytes:
        return [1]
    counts = [request.ranks * factor for factor in SHARD_FACTORS]
    fitting = [count for count in counts if _fits(graph, request, count)]
    return fitting or [
        max(count for count in range(1, request.ranks + 1) if _fits(graph, request, count))
    ]


def has_statistics(graph: _core.Graph, request: Request) -> bool:
    """Whether samples share batch statistics."""
    return request.training and any(param.role == "running_mean" for param in graph.params)


def _fits(graph: _core.Graph, request: Request, shards: int) -> bool:
    """Whether shards of equal size cut no statistics group, or only where they may."""
    samples, rest = divmod(request.batch, shards)
    if rest or shards == 1:
        return not rest
    if not has_statistics(graph, request):
        return True
    group = request.bn_group or min(request.batch, DEFAULT_GROUP)
    if request.batch % group:
        return False
    return samples % group == 0 or (request.bn_sync and group % samples == 0)
