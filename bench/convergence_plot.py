"""The picture of `convergence.py`: accuracy on the test set against the seconds of training."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NAMES = {
    "data": "hpmp, data",
    "layer": "hpmp, layer",
    "filter": "hpmp, filter",
    "owt": "hpmp, one weird trick",
    "hypergraph": "hpmp, hypergraph",
    "ddp": "PyTorch DDP",
    "1f1b": "PyTorch 1F1B",
}


def draw(result: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "hpmp"  # the same curves give the same file
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(9.5, 4.5), layout="constrained")
    for method, found in result["curves"].items():
        curve = found["curve"]
        ours = NAMES[method].startswith("hpmp")
        axes.plot(
            [point["seconds"] for point in curve],
            [100 * point["accuracy"] for point in curve],
            marker="o",
            markersize=4,
            linewidth=2.5 if method == "hypergraph" else 1.5,
            linestyle="-" if ours else "--",
            label=f"{NAMES[method]}: {curve[-1]['seconds']:.1f} s, {curve[-1]['epoch']} epochs",
        )
    axes.axhline(100 * result["target"], color="grey", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set(xlabel="seconds of training", ylabel="accuracy on the test set, %")
    where = f"{result['hosts']} hosts, {result['network']}"
    axes.set_title(f"{result['model']} on digits, global batch {result['batch']}, {where}")
    figure.legend(fontsize="small", loc="outside right upper")
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
