"""What would fit the memory: more ranks, a smaller batch or smaller statistics groups, found by
predicting lean plans.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pyhpmp import _core
from pyhpmp.errors import HpmpError
from pyhpmp.figures import memory_bytes
from pyhpmp.grids import DEFAULT_GROUP, Grids, has_statistics, shard_counts
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES

# Filter parallelism needs no less than one weird trick and takes long to simulate.
LEAN = ("data", "owt", "layer")
MOST_RANKS = 64
LEAST_GROUP = 4  # samples that share batch statistics
# Times what is predicted: with that much an arena's holes surely fit as well.
SURE = 1.2
SECONDS = 8.0  # for all that is tried


@dataclass(frozen=True)
class Need:
    """Bytes that every rank needs under a strategy; shards: of its grid, where that matters."""

    name: str
    memory: list[int]
    shards: int = 0

    @property
    def most(self) -> int:
        return max(self.memory)


def least(graph: _core.Graph, request: Request) -> Need | None:
    """The plan that needs least, of those that are quick to make; the first one that fits."""
    best: Need | None = None
    for need in _needs(graph, request):
        if best is None or need.most < best.most:
            best = need
        if best.most <= request.memory_bytes:
            break
    return best


def advice(graph: _core.Graph, leanest: Need | None, request: Request) -> str:
    """How the model would fit `request.memory_bytes`: the end of an error's sentence.

    leanest: what `least` found for this request.
    """
    if leanest is not None and leanest.most <= request.memory_bytes:
        return f"it would fit with --strategy {leanest.name} --shards {leanest.shards}"
    deadline = time.monotonic() + SECONDS
    more = [replace(request, ranks=ranks) for ranks in _more_ranks(request)]
    less = [replace(request, batch=batch) for batch in _smaller_batches(request)]
    groups = [replace(request, bn_group=group) for group in _smaller_groups(graph, request)]
    ranks = _first_that_fits(graph, more, deadline)
    batch = _first_that_fits(graph, less, deadline)
    group = _first_that_fits(graph, groups, deadline)
    ways = [f"at {ranks.ranks} ranks"] if ranks else []
    ways += [f"at batch {batch.batch}"] if batch else []
    ways += [f"with --bn-group {group.bn_group}"] if group else []
    if ways:
        return f"it would fit {' or '.join(ways)}"
    if time.monotonic() > deadline:
        return "use more ranks, more shards or a smaller batch"
    tried = [f"{more[-1].ranks} ranks"] if more else []
    tried += [f"batch {less[-1].batch}"] if less else []
    return f"not even {' or '.join(tried)} would do: raise --memory" if tried else "raise --memory"


def _more_ranks(request: Request) -> list[int]:
    """Twice as many and so on, as far as the batch can be shared out."""
    counts, ranks = [], 2 * request.ranks
    while ranks <= MOST_RANKS and request.batch % ranks == 0:
        counts.append(ranks)
        ranks *= 2
    return counts


def _smaller_batches(request: Request) -> list[int]:
    """Half and so on, as far as every rank still gets as many samples."""
    batches, batch = [], request.batch
    while batch % 2 == 0 and batch // 2 % request.ranks == 0:
        batch //= 2
        batches.append(batch)
    return batches


def _smaller_groups(graph: _core.Graph, request: Request) -> list[int]:
    """Half and so on: smaller shards may follow, of which a rank holds fewer samples at once."""
    if request.bn_sync or not has_statistics(graph, request):
        return []
    groups, group = [], request.bn_group or min(request.batch, DEFAULT_GROUP)
    while group % 2 == 0 and group > LEAST_GROUP:
        group //= 2
        groups.append(group)
    return groups


def _first_that_fits(
    graph: _core.Graph, requests: Iterable[Request], deadline: float
) -> Request | None:
    for request in requests:
        if time.monotonic() > deadline:
            return None
        need = least(graph, request)
        if need is not None and need.most <= request.memory_bytes:
            return request
    return None


def _needs(graph: _core.Graph, request: Request) -> Iterator[Need]:
    named = request.strategy in BASELINES
    counts = shard_counts(graph, request)
    grids = Grids(graph, request)
    for shards in dict.fromkeys((counts[-1], counts[0])):
        for name in (request.strategy,) if named else LEAN:
            try:
                h = grids.coarse(shards)
                part = h.baseline(name, request.ranks)
            except HpmpError:
                continue
            yield Need(name, _memory(name, h, part, request), shards)


def _memory(name: str, h: _core.Hypergraph, part: Ints32, request: Request) -> list[int]:
    """Predicted, or of the plan itself where its arena may decide whether it fits."""
    machine = {"memory_goal_bytes": request.memory_bytes, "recompute": request.recompute}
    predicted = h.predict(part, request.ranks, machine).memory_bytes
    if not 1 <= request.memory_bytes / max(predicted) < SURE:
        return predicted
    return memory_bytes(_core.Plan.build(h, part, request.ranks, name, machine))
