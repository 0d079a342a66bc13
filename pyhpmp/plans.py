"""A plan with the model it is for: made on rank 0, the same on every rank."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyhpmp import _core, plan_files, planning, world
from pyhpmp.errors import InfeasiblePlanError, InvalidArgumentError
from pyhpmp.figures import memory_bytes, recomputed
from pyhpmp.files import write_text
from pyhpmp.graph import Graph
from pyhpmp.heads import loss_weights
from pyhpmp.network import machine_of
from pyhpmp.optimizers import checked_kind
from pyhpmp.profile import Profile
from pyhpmp.records import GroupInfo, Reads
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.strategies import Comparison

if TYPE_CHECKING:
    from pyhpmp.report.measured import Measured

GIB = 2**30
BN_MODES = ("group", "sync")


@dataclass(frozen=True)
class Plan:
    """core: the programs of all ranks. prepared: the graph they run. request: what was asked.

    seconds: that planning took.
    """

    graph: Graph
    prepared: _core.Graph
    core: _core.Plan
    comparison: Comparison
    request: Request
    seconds: float

    @property
    def ranks(self) -> int:
        return self.core.ranks

    @property
    def batch(self) -> int:
        return self.core.batch

    @cached_property
    def groups(self) -> list[GroupInfo]:
        """Layer groups in network order; instructions and tasks index them."""
        return self._hypergraph(shards=1).groups  # they are the same for any number of shards

    def hypergraph(self) -> _core.Hypergraph:
        """The hypergraph whose cells the plan places."""
        return self._hypergraph(self.core.shards)

    def _hypergraph(self, shards: int) -> _core.Hypergraph:
        core = self.core
        return _core.Hypergraph(
            self.prepared,
            batch=core.batch,
            shards=shards,
            channel_block=core.channel_block,
            dense_block=core.dense_block,
            most_blocks=core.most_blocks,
            bn_group=core.bn_group,
            bn_sync=core.bn_sync,
            training=core.training,
            dtype=core.dtype,
            optimizer=core.optimizer,
        )

    def reads(self, rank: int) -> Reads:
        """Which samples of a batch a rank loads the images of, and computes the loss of."""
        return self.core.reads(self.prepared, rank)

    @property
    def volume_bytes(self) -> int:
        """Bytes that all ranks together send in one step."""
        return self.core.activation_bytes + self.core.parameter_bytes

    def recomputed(self) -> tuple[int, float]:
        """Layer groups that some rank computes twice in a step, and the predicted seconds that this
        takes the rank on which it takes longest."""
        return recomputed(self.core)

    def for_optimizer(self, kind: str) -> Plan:
        """The same plan for another optimizer, whose state takes more or less memory.

        Raises:
            InfeasiblePlanError: more than the plan was to use.
        """
        if kind == self.core.optimizer:
            return self
        core = self.core.for_optimizer(self.prepared, checked_kind(kind))
        needs, limit = memory_bytes(core), self.request.memory_bytes
        if limit and max(needs) > limit:
            raise InfeasiblePlanError(
                f"with the state of {kind} the plan needs {planning.gib(max(needs))} on rank "
                f"{needs.index(max(needs))}; the limit is {planning.gib(limit)}: plan with "
                f"optimizer='{kind}'"
            )
        return replace(self, core=core, request=replace(self.request, optimizer=kind))

    def summary(self) -> str:
        """A table of the chosen strategy and the classical ones."""
        from pyhpmp.report import plan_text

        return plan_text(self)

    def as_dict(self) -> dict[str, Any]:
        """What `hpmp-plan --json` prints."""
        return {
            "model": self.graph.name,
            "ranks": self.ranks,
            "batch": self.batch,
            "dtype": self.core.dtype,
            "optimizer": self.core.optimizer if self.core.training else None,
            "bn": "sync" if self.core.bn_sync else "group",
            "bn_group": self.core.bn_group,
            "chosen": self.comparison.chosen,
            "strategies": [row.as_dict() for row in self.comparison.strategies],
            "recomputed": dict(zip(("groups", "seconds"), self.recomputed(), strict=True)),
            "data_parallel_crossover_batch": self.comparison.data_parallel_crossover_batch,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the text form, whole or not at all."""
        if world.current().is_root:
            write_text(path, self.core.text())

    def report(self, path: str | os.PathLike[str], measured: Measured | None = None) -> None:
        """Writes one HTML page about the plan, and about a run where `measured` is given."""
        from pyhpmp.report.page import page

        if world.current().is_root:
            write_text(path, page(self, measured))


def plan(
    graph: Graph,
    *,
    ranks: int | None = None,
    batch: int | None = None,
    strategy: str = "auto",
    objective: str = "time",
    shards: int | None = None,
    epsilon: float = 0.03,
    bn: str = "group",
    bn_group: int = 0,
    seed: int = 0,
    partitioner: str = "native",
    network: str | None = None,
    profile: str | Profile | None = None,
    memory: float = 0.0,
    recompute: str = "auto",
    training: bool = True,
    dtype: str = "fp32",
    optimizer: str = "sgd",
    seconds: float = DEFAULT_SECONDS,
    compare: bool = False,
    aux_weight: float | Sequence[float] | None = None,
) -> Plan:
    """Decides which rank computes what, and when; collective: rank 0 plans, all receive.

    Args:
        graph: from `load`.
        ranks: how many; by default those of this run.
        batch: global samples of a step; by default that of a saved plan, else `default_batch`.
        strategy: auto, hypergraph, data, layer, filter, owt, or `file:PLAN`.
        objective: `time` (least predicted step) or `volume` (least bytes within `epsilon`).
        shards: sample shards; by default several are tried.
        epsilon: imbalance that the partitioner may leave; 0.03 is 3%.
        bn: group, or `sync` where shards may cut a group of samples that share batch statistics,
            and exchange its sums.
        bn_group: samples that share batch statistics; 0 for the smaller of the batch and 32.
        seed: of the partitioner.
        partitioner: native, kahypar or mtkahypar; a library gives the native search a start.
        network: `1Gbit/50us`, in the place of the profile's; or a machine profile.
        profile: a file that `hpmp-bench --save-profile` wrote, or what was read from one.
        memory: GiB that a rank may use; 0 for no limit.
        recompute: whether activations may be freed and computed again for the backward pass: never,
            always (as little memory as can be), or auto, where `memory` asks for it and to have
            fewer samples under way would take longer.
        training: False plans the forward part only.
        dtype: that activations, their gradients and messages of both are stored in, fp32 or bf16;
            parameters and the optimizer are fp32.
        optimizer: sgd or adamw, whose state is kept beside the weights; a trainer with another one
            takes the plan, too, where memory allows.
        seconds: after which no further candidate is tried.
        compare: predict the classical strategies even if `strategy` names one.
        aux_weight: of the losses of further outputs than the first, or of each of them; by default
            0.3, of maps 0.4, for those that have the first one's shape.

    Raises:
        InvalidArgumentError, InfeasiblePlanError, InvalidPlanError: saying what would do.
    """
    ranks_here = world.current()
    size = ranks if ranks is not None else ranks_here.size
    request = Request(
        ranks=size,
        batch=batch if batch is not None else default_batch(size),
        strategy=strategy,
        objective=objective,
        shards=shards,
        epsilon=epsilon,
        bn_group=bn_group,
        bn_sync=_is_sync(bn),
        seed=seed,
        partitioner=partitioner,
        memory_bytes=_memory_bytes(memory),
        recompute=recompute,
        training=training,
        dtype=_checked_dtype(dtype),
        optimizer=checked_kind(optimizer),
        seconds=seconds,
        compare=compare,
        loss_weights=loss_weights(graph.core.outputs, aux_weight),
    )
    prepared = graph.core.prepare(training=training, loss_weights=request.loss_weights)

    def work() -> tuple[str, Comparison, Request, float]:
        began = time.perf_counter()
        saved = plan_files.read(strategy) if plan_files.is_file(strategy) else None
        samples = saved.batch if saved is not None and batch is None else request.batch
        asked = replace(request, batch=samples, machine=machine_of(network, profile))
        core, comparison = _planned(prepared, saved, asked)
        return core.text(), comparison, asked, time.perf_counter() - began

    text, comparison, request, taken = ranks_here.on_root(work)
    return Plan(graph, prepared, _core.Plan.parse(text), comparison, request, taken)


def _checked_dtype(dtype: str) -> str:
    if dtype not in _core.DTYPES:
        raise InvalidArgumentError(f"unknown dtype '{dtype}'; use one of {', '.join(_core.DTYPES)}")
    return dtype


def _is_sync(bn: str) -> bool:
    if bn not in BN_MODES:
        raise InvalidArgumentError(f"unknown bn '{bn}'; use one of {', '.join(BN_MODES)}")
    return bn == "sync"


def default_batch(ranks: int) -> int:
    """Global batch where the user names none: 32 samples per rank, and 64 at least."""
    return max(64, 32 * ranks)


def _planned(
    prepared: _core.Graph, saved: _core.Plan | None, request: Request
) -> tuple[_core.Plan, Comparison]:
    if saved is None:
        return planning.choose(prepared, request)
    return plan_files.replayed(prepared, saved, request)


def _memory_bytes(gibibytes: float) -> int:
    if not 0 <= gibibytes < math.inf:
        raise InvalidArgumentError(f"memory {gibibytes} GiB is no limit; 0 is none")
    return int(gibibytes * GIB)
