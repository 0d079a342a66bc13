"""Losses of training in bf16 and in fp32, ours and PyTorch's, from the same weights and images.

    python bench/bf16_loss.py                              # seven networks, three seeds
    python bench/bf16_loss.py --models resnet50 --json losses.jsonl

Every network starts from PyTorch's random weights, without dropout, and is trained by PyTorch (fp32
and bf16 autocast, channels_last) and, through its ONNX file, by ours, on one random batch.
Compared are the means of the losses of the steps: bf16 of ours with PyTorch's bf16, and each bf16
with its fp32, which tells how much of a difference is the number format's own.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peers import networks, torch_step
from peers.job import Job
from peers.torch_step import MOMENTUM, RATE, Tensors
from rich.console import Console
from rich.table import Table
from torch import nn

import pyhpmp

CASES = {  # side of the images, batch
    "alexnet": (224, 16),
    "vgg16": (224, 8),
    "resnet18": (224, 8),
    "resnet50": (224, 8),
    "mobilenet_v2": (224, 8),
    "resnet20": (32, 128),
    "vgg16@32": (32, 64),
}
KINDS = ("fp32", "bf16")


def network(job: Job, seed: int) -> nn.Module:
    module = networks.build(job.model, job.image, seed)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module


def theirs(module: nn.Module, batch: Tensors, job: Job, steps: int) -> list[float]:
    module = torch_step.prepared(copy.deepcopy(module), job)
    step = torch_step.training_step(module, batch, job)
    return [step() for _ in range(steps)]


def ours(path: Path, batch: Tensors, dtype: str, steps: int) -> list[float]:
    images, labels = (part.contiguous().numpy() for part in batch)
    # Statistics over the whole batch, as PyTorch's are; how it is planned changes no loss.
    plan = pyhpmp.plan(
        pyhpmp.load(path), batch=len(labels), bn_group=len(labels), dtype=dtype, seconds=0
    )
    trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=RATE, momentum=MOMENTUM))
    return [trainer.step(images, labels) for _ in range(steps)]


def export(module: nn.Module, batch: Tensors, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (batch[0],),
            path,
            dynamo=False,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}},
        )


def losses_of(name: str, seed: int, steps: int) -> dict[str, Any]:
    image, samples = CASES[name]
    job = Job(name.partition("@")[0], image, samples, variant="channels_last")
    module = network(job, seed)
    batch = torch_step.random_batch(job, samples, torch_step.classes_of(job), seed + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export(module, batch, path)
        mine = {kind: ours(path, batch, kind, steps) for kind in KINDS}
    peers = {kind: theirs(module, batch, replace(job, dtype=kind), steps) for kind in KINDS}
    return {"network": name, "batch": samples, "seed": seed, "ours": mine, "theirs": peers}


def apart(one: list[float], other: list[float]) -> float:
    """Of the mean losses of the steps: how far `one` is from `other`, as a share of it."""
    return abs(sum(one) / sum(other) - 1)


def table(rows: list[dict[str, Any]]) -> Table:
    shown = Table("network (batch)", title="how far mean losses are apart, the worst seed")
    for heading in ("bf16: ours, PyTorch's", "ours: bf16, fp32", "PyTorch's: bf16, fp32"):
        shown.add_column(heading, justify="right")
    for name in dict.fromkeys(row["network"] for row in rows):
        same = [row for row in rows if row["network"] == name]
        figures = (
            max(apart(row["ours"]["bf16"], row["theirs"]["bf16"]) for row in same),
            max(apart(row["ours"]["bf16"], row["ours"]["fp32"]) for row in same),
            max(apart(row["theirs"]["bf16"], row["theirs"]["fp32"]) for row in same),
        )
        shown.add_row(f"{name} ({same[0]['batch']})", *(f"{100 * f:.2f}%" for f in figures))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES), metavar="MODEL")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path, help="append one line per network and seed")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.models:
        for seed in range(arguments.seeds):
            rows.append(losses_of(name, seed, arguments.steps))
            if arguments.json:
                with arguments.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    Console().print(table(rows))


if __name__ == "__main__":
    main()
