"""Runs one partitioner library in a process of its own; a script, never imported.

The libraries may print, ask on stdin, exit or loop; here none of that reaches the caller, who gives
no stdin, reads only the result files, and stops this process when its time is up.

    python library_worker.py LIBRARY FOLDER

FOLDER/problem.json holds the problem and the seeds; part-SEED.json appears for each seed done.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Our own choice of KaHyPar's parameters: direct k-way on the connectivity metric; no community
# detection, which costs most of the time on these small hypergraphs; a pool of simple starts.
KAHYPAR_PARAMETERS = {
    "mode": "direct",
    "objective": "km1",
    "cmaxnet": 1000,
    "vcycles": 0,
    "p-detect-communities": "false",
    "c-type": "ml_style",
    "c-s": 1,
    "c-t": 120,
    "c-rating-score": "heavy_edge",
    "c-rating-use-communities": "false",
    "c-rating-heavy_node_penalty": "no_penalty",
    "c-rating-acceptance-criterion": "best_prefer_unmatched",
    "c-fixed-vertex-acceptance-criterion": "fixed_vertex_allowed",
    "i-mode": "recursive",
    "i-technique": "multi",
    "i-c-type": "ml_style",
    "i-c-s": 1,
    "i-c-t": 120,
    "i-c-rating-score": "heavy_edge",
    "i-c-rating-use-communities": "false",
    "i-c-rating-heavy_node_penalty": "no_penalty",
    "i-c-rating-acceptance-criterion": "best_prefer_unmatched",
    "i-c-fixed-vertex-acceptance-criterion": "fixed_vertex_allowed",
    "i-algo": "pool",
    "i-runs": 16,
    "i-bp-algorithm": "worst_fit",
    "i-bp-heuristic-prepacking": "false",
    "i-bp-early-restart": "true",
    "i-bp-late-restart": "true",
    "i-r-type": "twoway_fm",
    "i-r-runs": -1,
    "i-r-fm-stop": "simple",
    "i-r-fm-stop-i": 50,
    "r-type": "kway_fm_km1",
    "r-runs": -1,
    "r-fm-stop": "adaptive_opt",
    "r-fm-stop-alpha": 1,
}


def with_kahypar(problem: dict[str, Any], seed: int, folder: Path) -> list[int]:
    import kahypar

    config = folder / "kahypar.ini"
    config.write_text("".join(f"{key}={value}\n" for key, value in KAHYPAR_PARAMETERS.items()))
    begin = [0]
    for net in problem["nets"]:
        begin.append(begin[-1] + len(net))
    pins = [vertex for net in problem["nets"] for vertex in net]
    parts = len(problem["capacity"])
    hypergraph = kahypar.Hypergraph(
        len(problem["weight"]),
        len(problem["nets"]),
        begin,
        pins,
        parts,
        problem["cost"],
        problem["weight"],
    )
    for vertex, part in enumerate(problem["fixed"]):
        if part >= 0:
            hypergraph.fixNodeToBlock(vertex, part)
    # A context that is used twice asks a question on stdin, so each seed has its own.
    context = kahypar.Context()
    context.loadINIconfiguration(str(config))
    context.setK(parts)
    context.setEpsilon(problem["epsilon"])
    context.setCustomTargetBlockWeights(problem["capacity"])
    context.setSeed(seed)
    context.suppressOutput(True)
    kahypar.partition(hypergraph, context)
    return [hypergraph.blockID(vertex) for vertex in range(len(problem["weight"]))]


def with_mtkahypar(problem: dict[str, Any], seed: int, folder: Path) -> list[int]:
    import mtkahypar

    del folder
    library = mtkahypar.initialize(1, False)
    mtkahypar.set_seed(seed)
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC_QUALITY)
    context.logging = False
    parts = len(problem["capacity"])
    context.set_partitioning_parameters(parts, problem["epsilon"], mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights(problem["capacity"])
    hypergraph = library.create_hypergraph(
        context,
        len(problem["weight"]),
        len(problem["nets"]),
        problem["nets"],
        problem["weight"],
        problem["cost"],
    )
    if any(part >= 0 for part in problem["fixed"]):
        hypergraph.add_fixed_vertices(problem["fixed"], parts)
    partition: list[int] = hypergraph.partition(context).get_partition()
    return partition


LIBRARIES = {"kahypar": with_kahypar, "mtkahypar": with_mtkahypar}


def main(library: str, folder: Path) -> None:
    problem = json.loads((folder / "problem.json").read_text())
    for seed in problem["seeds"]:
        part = LIBRARIES[library](problem, seed, folder)
        unfinished = folder / "unfinished.json"
        unfinished.write_text(json.dumps(part))
        unfinished.rename(folder / f"part-{seed}.json")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
