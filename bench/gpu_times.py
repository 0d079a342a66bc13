"""Training steps on a GPU beside PyTorch's there, in turns: ratios of medians.

    python bench/gpu_times.py [--networks resnet50 ...] [--batch 64 256] [--minutes 5]

Ours and PyTorch (channels_last; then the same through torch.compile) take the images and labels of
every step from the host's memory. A ratio is median(PyTorch's step) / median(our step). Cases that
the minutes do not reach are named. Prints one table; --out writes one JSON line per case.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers.driver import Worker, alternate
from peers.job import Job, Unavailable

from pyhpmp.bench.summary import median, summary

NETWORKS = ("resnet50", "vgg16", "alexnet", "mobilenet_v2")
PRECISIONS = {"tf32": {"numerics": "tf32"}, "bf16": {"dtype": "bf16"}}
PEERS = ("channels_last", "compile_channels_last")
SECONDS, TURNS = 4.0, 3
Row = dict[str, Any]


def cases(arguments: argparse.Namespace) -> Iterator[tuple[str, Job]]:
    """Those without torch.compile first: it takes a minute to compile a network."""
    for peer in PEERS:
        for model in arguments.networks:
            for batch in arguments.batch:
                for precision in arguments.precision:
                    name, _, side = model.partition("@")
                    chosen = PRECISIONS[precision]
                    yield peer, Job(name, int(side or 224), batch, device="cuda", **chosen)


def timed(peer: str, job: Job, seconds: float) -> Row:
    """Both sides of a case; what is not to be had says why."""
    row: Row = {"peer": peer, "model": job.model, "image": job.image, "batch": job.batch}
    row["precision"] = "bf16" if job.dtype == "bf16" else job.numerics
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for side, module, variant in (("ours", "ours", "train"), ("theirs", "torch_train", peer)):
            try:
                worker = Worker(module, Job(**{**vars(job), "variant": variant}))
            except Unavailable as error:
                row[side] = {"unavailable": str(error)}
            else:
                workers[side] = stack.enter_context(worker)
        samples = alternate(list(workers.values()), seconds, TURNS) if workers else []
        for (side, worker), found in zip(workers.items(), samples, strict=True):
            row[side] = {"step_seconds": summary(found.seconds), "facts": worker.facts}
            row[side]["median"] = median(found.seconds)
    return row


def line(row: Row) -> str:
    """A row of the table."""
    cells = [row["model"], str(row["batch"]), row["precision"], row["peer"]]
    for side in ("ours", "theirs"):
        found = row.get(side, {})
        rate = row["batch"] / found["median"] if "median" in found else None
        cells.append("-" if rate is None else f"{1e3 * found['median']:.1f} ms, {rate:,.0f}/s")
    both = all("median" in row.get(side, {}) for side in ("ours", "theirs"))
    cells.append(f"{row['theirs']['median'] / row['ours']['median']:.2f}" if both else "-")
    return "| " + " | ".join(cells) + " |"


HEAD = """| network | batch | precision | against | ours | theirs | ratio |
|---|---|---|---|---|---|---|"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME[@SIDE]")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--precision", choices=PRECISIONS, nargs="+", default=list(PRECISIONS))
    parser.add_argument("--minutes", type=float, default=5.0, help="no case begins later")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of steps in a case")
    parser.add_argument("--out", type=Path, help="JSON lines")
    return parser.parse_args()


def main() -> int:
    """Exit code 1 where our side of a case failed."""
    options = arguments()
    deadline = time.monotonic() + 60 * options.minutes
    rows: list[Row] = []
    print(HEAD, flush=True)
    for peer, job in cases(options):
        if time.monotonic() > deadline:
            print(f"not reached: {job.model} {job.batch} {job.dtype} {job.numerics} {peer}")
            continue
        rows.append(timed(peer, job, options.seconds))
        print(line(rows[-1]), flush=True)
        for side in ("ours", "theirs"):
            if "unavailable" in rows[-1].get(side, {}):
                print(f"  {side}: {rows[-1][side]['unavailable']}", flush=True)
    if options.out:
        options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return int(any("unavailable" in row["ours"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
