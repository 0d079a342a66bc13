"""What slices of a convolution's output channels cost beside their share of the whole.

    python bench/slices.py                    # slices of 64 channels and more
    python bench/slices.py --least 16 --json slices.jsonl

A layer cut in n slices is to cost every rank a nth of what it costs whole. Every layer is
timed whole and as a slice in turns, on one thread, as the engine runs it; the ratio is that of the
medians, times n.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pyhpmp import _core
from pyhpmp.records import PassTimes

PASSES = ("forward", "backward", "weights")
SAMPLES = 8


@dataclass(frozen=True)
class Layer:
    c_in: int
    c_out: int
    kernel: int
    side: int  # of its input
    stride: int = 1

    def graph(self, c_out: int) -> _core.Graph:
        """The convolution alone, with `c_out` of its output channels."""
        k, pad = self.kernel, self.kernel // 2
        return _core.Graph.parse(
            f"hpmp-graph 1\nparam w weight {c_out} {self.c_in} {k} {k}\n"
            f"input x {self.c_in} {self.side} {self.side}\nnode Relu r : x : : r\n"
            f"node Conv c : r : w : c kernel={k},{k} strides={self.stride},{self.stride} "
            f"pads={pad},{pad},{pad},{pad}\noutput c\n"
        )

    def __str__(self) -> str:
        by = f" / {self.stride}" if self.stride > 1 else ""
        return (
            f"{self.c_in} -> {self.c_out}, {self.kernel}x{self.kernel}{by}, {self.side}x{self.side}"
        )


LAYERS = (
    Layer(128, 128, 3, 112),
    Layer(256, 256, 3, 56),
    Layer(512, 512, 3, 28),
    Layer(512, 512, 3, 14),
    Layer(128, 128, 3, 28),
    Layer(256, 256, 3, 14),
    Layer(256, 512, 3, 28, 2),
    Layer(256, 1024, 1, 14),
    Layer(1024, 256, 1, 14),
    Layer(512, 2048, 1, 7),
    Layer(192, 384, 3, 13),
)


def timed(graph: _core.Graph) -> PassTimes:
    index = next(i for i, node in enumerate(graph.nodes) if node.shape.op == "Conv")
    return graph.time_node(index, samples=SAMPLES, repeats=3, budget_seconds=1.0, threads=1)


def ratios(layer: Layer, slices: int, rounds: int) -> dict[str, float]:
    """By pass: seconds of a slice times `slices`, over those of the whole layer."""
    whole, part = layer.graph(layer.c_out), layer.graph(layer.c_out // slices)
    times: dict[str, tuple[list[Any], list[Any]]] = {name: ([], []) for name in PASSES}
    for _ in range(rounds):
        for place, graph in enumerate((whole, part)):
            found = timed(graph)
            for name in PASSES:
                times[name][place].append(getattr(found, name))
    of = {name: [float(np.median(np.concatenate(t))) for t in both] for name, both in times.items()}
    result = {name: slices * part / whole for name, (whole, part) in of.items()}
    totals = [sum(of[name][place] for name in PASSES) for place in (0, 1)]
    return result | {"all": slices * totals[1] / totals[0]}


def rows(least: int, rounds: int) -> list[dict[str, Any]]:
    found = []
    for layer in LAYERS:
        slices = 2
        while layer.c_out // slices >= least:
            found.append({"layer": str(layer), "slices": slices, **ratios(layer, slices, rounds)})
            slices *= 2
    return found


def table(found: list[dict[str, Any]]) -> Table:
    result = Table("layer", "slices", *PASSES, "all", box=None)
    for row in found:
        shown = [f"{row[name]:.2f}" for name in (*PASSES, "all")]
        result.add_row(row["layer"], str(row["slices"]), *shown)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--least", type=int, default=64, help="channels of a slice")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="one line per layer and number of slices")
    arguments = parser.parse_args()
    found = rows(arguments.least, arguments.rounds)
    Console().print(table(found))
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")


if __name__ == "__main__":
    main()
