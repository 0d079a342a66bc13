"""Speed of every op and shape of some networks on a device, and what a machine profile keeps of it.

A convolution's or dense layer's pass takes `work / rate + weights * seconds per weight element`:
the second part (weights read, gradients written) does not shrink with the samples of a task, so it
is measured on its own and taken off before the rate is computed. Shapes are measured in rounds, so
that a slow minute of the machine meets a part of the repeats of each; a profile holds their lower
quartile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyhpmp import _core, world
from pyhpmp.bench.summary import median, summary, undisturbed
from pyhpmp.devices import CPU, Device
from pyhpmp.profile import Profile
from pyhpmp.records import DeviceFigures, NodeInfo, OpShape, Passes, PassTimes, Rate


class Limits(NamedTuple):
    """Of one pass: enough for the clock, or to fill a GPU, and little enough for many of them."""

    flops: float
    bytes: float
    samples: int


LIMITS = {"cpu": Limits(1e9, 60e6, 32), "cuda": Limits(1e11, 500e6, 256)}
# Of a pass that its weights dominate, what is at least put down to its work.
LEAST_SHARE = 0.2
NO_WORK = ("Input", "Output")
WEIGHT_GRAPHS = {
    "Conv": (
        "hpmp-graph 1\nparam w weight 512 512 3 3\ninput x 512 3 3\n"
        "node Relu r : x : : r\nnode Conv c : r : w : c kernel=3,3\noutput c\n"
    ),
    "Dense": (
        "hpmp-graph 1\nparam w weight 4096 4096\ninput x 4096 1 1\n"
        "node Relu r : x : : r\nnode Dense d : r : w : d\noutput d\n"
    ),
}
NONE = Passes(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Effort:
    """repeats and seconds: per shape and round, whichever ends first. threads: that compute.

    dtype: of activations. device: of this rank. numerics: of its fp32 products.
    """

    repeats: int = 5
    seconds: float = 0.25
    threads: int = 1
    rounds: int = 4
    dtype: str = "fp32"
    device: Device = CPU
    numerics: str = "fp32"


@dataclass(frozen=True)
class Measured:
    """One op on one shape. samples: of the batch. times: seconds of every repeat, by pass."""

    node: NodeInfo
    samples: int
    times: PassTimes

    def joined(self, other: Measured) -> Measured:
        """With the repeats of another round."""
        pairs = zip(self.times, other.times, strict=True)
        return Measured(
            self.node, self.samples, PassTimes(*(np.concatenate(pair) for pair in pairs))
        )

    def rates(self) -> Passes:
        """Work per second, medians: floating-point operations of mixing ops, else bytes."""
        return Passes(
            *(
                self.samples * work / median(times) if work and len(times) else 0.0
                for work, times in zip(self.node.work, self.times[:3], strict=True)
            )
        )

    def rates_beside(self, weights: Passes) -> Passes:
        """Of undisturbed repeats, without what each weight element costs whatever the samples."""
        return Passes(
            *(
                self._rate(work, times, self.node.weight_elems * each)
                for work, times, each in zip(self.node.work, self.times[:3], weights, strict=True)
            )
        )

    def _rate(self, work: float, times: Any, fixed: float) -> float:
        if not len(times) or not work:
            return 0.0
        seconds = undisturbed(times)
        return self.samples * work / max(seconds - fixed, LEAST_SHARE * seconds)

    def seconds(self) -> float:
        """Of all passes, medians."""
        return sum(median(times) for times in self.times[:3] if len(times))

    def as_dict(self) -> dict[str, Any]:
        unit = "flops_per_second" if self.node.is_mixing else "bytes_per_second"
        return {
            **self.node.shape._asdict(),
            "samples": self.samples,
            "seconds": {
                name: summary(times) for name, times in self.times._asdict().items() if len(times)
            },
            unit: {name: rate for name, rate in self.rates()._asdict().items() if rate},
        }


def timed_nodes(
    graphs: Iterable[_core.Graph], known: Iterable[OpShape] = ()
) -> Iterator[tuple[_core.Graph, int, NodeInfo]]:
    """Prepared graphs' ops: one of each kind and of sizes within half an octave, no `known` one."""
    seen = {_class(shape) for shape in known}
    for graph in graphs:
        for index, node in enumerate(graph.nodes):
            if node.is_index_map or node.shape.op in NO_WORK or _class(node.shape) in seen:
                continue
            seen.add(_class(node.shape))
            yield graph, index, node


def _class(shape: OpShape) -> tuple[Any, ...]:
    sizes = (shape.c_in, shape.c_out, shape.pixels, shape.groups)
    halves = (round(2 * math.log2(size)) for size in sizes)
    return (shape.op, shape.kernel, shape.stride, shape.groups == shape.c_in, *halves)


def measured(
    graphs: list[_core.Graph], effort: Effort, known: Iterable[OpShape] = ()
) -> list[Measured]:
    """Times every op of the graphs but those like `known`, on all ranks at once; collective.

    Returns:
        The slowest rank's times of each.
    """
    nodes = list(timed_nodes(graphs, known))
    results = [_measured(*node, effort) for node in nodes]
    for _ in range(effort.rounds - 1):
        results = [
            result.joined(_measured(*node, effort))
            for result, node in zip(results, nodes, strict=True)
        ]
    return results


def _measured(graph: _core.Graph, index: int, node: NodeInfo, effort: Effort) -> Measured:
    limits = LIMITS[effort.device.kind]
    limit = limits.flops if node.is_mixing else limits.bytes
    samples = int(min(limits.samples, max(1, limit / max(*node.work, 1))))
    return _slowest(graph, index, samples, effort)


def _slowest(graph: _core.Graph, index: int, samples: int, effort: Effort) -> Measured:
    ranks = world.current()
    ranks.gather(None)  # all begin together
    own = Measured(graph.nodes[index], samples, _timed(graph, index, samples, effort))
    return max(ranks.gather(own), key=Measured.seconds)


def _timed(graph: _core.Graph, index: int, samples: int, effort: Effort) -> PassTimes:
    return graph.time_node(
        index,
        samples=samples,
        repeats=effort.repeats,
        budget_seconds=effort.seconds,
        threads=effort.threads,
        dtype=effort.dtype,
        **effort.device.bench_options(effort.numerics),
    )


def weight_times(effort: Effort) -> dict[str, Measured]:
    """By mixing op: a task that has next to no other work than with its weights. Collective."""
    found = {}
    for op, text in WEIGHT_GRAPHS.items():
        graph = _core.Graph.parse(text)
        index = next(i for i, node in enumerate(graph.nodes) if node.shape.op == op)
        found[op] = _slowest(graph, index, 1, effort)
    return found


def _per_weight(result: Measured) -> Passes:
    """Seconds per weight element of each pass."""
    elems = result.node.weight_elems
    return Passes(*(undisturbed(times) / elems for times in result.times[:3]))


def profile_of(
    results: list[Measured],
    weights: dict[str, Measured],
    device: DeviceFigures,
    facts: dict[str, Any],
    dtype: str = "fp32",
) -> Profile:
    """What the planner needs of the measurements; `weights` from `weight_times`."""
    each = {op: _per_weight(result) for op, result in weights.items()}
    rates = [Rate(r.node.shape, r.rates_beside(each.get(r.node.shape.op, NONE))) for r in results]
    conv, dense = each["Conv"], each["Dense"]
    speeds = {
        "pack_bytes_per_second": device.pack_bytes_per_second,
        "update_seconds_per_elem": device.update_seconds_per_elem,
        "conv_load_seconds": undisturbed(weights["Conv"].times.load)
        / weights["Conv"].node.weight_elems,
        "conv_weight_forward_seconds": conv.forward,
        "conv_weight_backward_seconds": conv.backward + conv.weights,
        "dense_weight_forward_seconds": dense.forward,
        "dense_weight_backward_seconds": dense.backward + dense.weights,
    }
    for name, mixing in (("flops_per_second", True), ("memory_bytes_per_second", False)):
        forward = [
            rate.per_second.forward
            for rate, result in zip(rates, results, strict=True)
            if result.node.is_mixing == mixing
        ]
        if forward:
            speeds[name] = median(forward)
    return Profile(speeds, tuple(rates), measured={"kernels": facts}, dtype=dtype)
