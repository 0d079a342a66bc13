"""The methods of the convergence bench learn one task: a step of each makes the same weights.

Compared is the last layer's update, before which no ReLU stands that rounding could switch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from learn import theirs
from learn.task import Floats, Task
from paths import python_path

import pyhpmp
from pyhpmp import local

RANKS, BATCH, RATE = 2, 32, 0.05
RANK = f"""
import os, sys
import numpy as np
import torch.distributed as dist
from learn import theirs
from learn.task import Task
task = Task.parse(sys.argv[1])
rank, size = int(os.environ["RANK"]), task.ranks
dist.init_process_group("gloo", init_method="file://" + task.meeting, rank=rank, world_size=size)
network = theirs.initial(task)
step, collect = {{"ddp": theirs.ddp, "1f1b": theirs.pipeline}}[task.method](task, network)
step(*next(task.batches(0)), {RATE})
collect()
if rank == 0:
    state = {{name: value.numpy() for name, value in network.state_dict().items()}}
    np.savez(task.meeting + ".npz", **state)
dist.barrier()
dist.destroy_process_group()
os._exit(0)  # threads of gloo may outlive it, and would end an interpreter that ends by abort
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    graph = pyhpmp.load("zoo:resnet20")
    np.savez(tmp_path / "weights.npz", allow_pickle=False, **graph.params)
    return Task(
        *("resnet20", graph.input_shape, graph.classes, str(tmp_path / "weights.npz")),
        *("ddp", RANKS, "1Gbit/50us", BATCH, 1, RATE, 0.97),
        meeting=str(tmp_path / "meeting"),
    )


def by_ranks(task: Task) -> dict[str, Floats]:
    """The network after a step on `RANKS` processes of PyTorch."""
    ours = {"PYTHONPATH": python_path(), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    environ = os.environ | ours
    command = [sys.executable, "-P", "-c", RANK, task.text()]
    ranks = [subprocess.Popen(command, env=environ | {"RANK": str(rank)}) for rank in range(RANKS)]
    assert [rank.wait() for rank in ranks] == [0] * RANKS
    with np.load(task.meeting + ".npz") as file:
        return dict(file)


def alone(task: Task) -> dict[str, Floats]:
    """The network after a step of PyTorch on one process, one rank's samples at a time."""
    network = theirs.initial(task)
    sgd = theirs.optimizer(task, network.parameters())
    images, labels = map(torch.from_numpy, next(task.batches(0)))
    share = BATCH // RANKS
    for part in range(RANKS):
        mine = slice(part * share, (part + 1) * share)
        scores = network(images[mine])
        (torch.nn.functional.cross_entropy(scores, labels[mine]) / RANKS).backward()
    sgd.step()
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def deviation(found: dict[str, Floats], task: Task) -> float:
    start, end = task.initial()["fc.weight"], alone(task)["fc.weight"]
    difference = np.linalg.norm(found["fc.weight"] - end)
    return float(difference / np.linalg.norm(end - start))


@pytest.mark.parametrize("method", ["ddp", "1f1b"])
def test_a_step_of_pytorchs_ranks_is_that_of_one_process(task: Task, method: str) -> None:
    found = by_ranks(Task(**vars(task) | {"method": method}))
    assert deviation(found, task) < 1e-3
    assert all(np.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize("strategy", ["data", "layer"])
def test_a_step_of_ours_is_pytorchs(task: Task, strategy: str) -> None:
    def work(rank: int) -> dict[str, Floats]:
        graph = pyhpmp.load("zoo:resnet20")
        plan = pyhpmp.plan(graph, batch=BATCH, bn_group=BATCH // RANKS, strategy=strategy)
        given = task.initial() if rank == 0 else {}
        sgd = pyhpmp.SGD(RATE, task.momentum, task.weight_decay)
        trainer = pyhpmp.Trainer(plan, sgd, params=given, threads=1)
        trainer.step(*next(task.batches(0)))
        return trainer.params()

    assert deviation(local.run(RANKS, work)[0], task) < 1e-3
