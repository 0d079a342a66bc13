"""A rank of PyTorch that learns a task, over gloo: `ddp` or `1f1b`; prints the curve on rank 0.

1F1B has one micro-batch per rank, so that batch statistics are over as many samples as DDP's, and
stages of nearly equal time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from peers import networks, stages
from torch import Tensor, nn

from learn.task import Floats, Labels, Task, learn

Step = Callable[[Floats, Labels, float], None]


def main() -> None:
    task = Task.parse(sys.argv[1])
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    where = f"file://{task.meeting}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=task.ranks)
    network = initial(task)
    step, collect = {"ddp": ddp, "1f1b": pipeline}[task.method](task, network)
    curve = learn(task, step, lambda: accuracy(task, network, collect), dist.barrier)
    if rank == 0:
        print(json.dumps({"curve": curve}), flush=True)
    dist.destroy_process_group()
    os._exit(0)  # threads of gloo may outlive it, and would end an interpreter that ends by abort


def initial(task: Task) -> networks.Network:
    network = networks.build(task.model, task.shape[1])
    given = {name: torch.from_numpy(array) for name, array in task.initial().items()}
    missing, unknown = network.load_state_dict(given, strict=False)
    counters = [name for name in missing if name.endswith("num_batches_tracked")]
    if unknown or len(counters) != len(missing):
        raise SystemExit(f"another network: {unknown or missing}")
    return network.train()


def optimizer(task: Task, parameters: Iterator[nn.Parameter]) -> torch.optim.SGD:
    return torch.optim.SGD(
        parameters,
        lr=task.lr,
        momentum=task.momentum,
        weight_decay=task.weight_decay,
        fused=True,
    )


def at_rate(sgd: torch.optim.SGD, rate: float) -> None:
    for group in sgd.param_groups:
        group["lr"] = rate


def ddp(task: Task, network: networks.Network) -> tuple[Step, Callable[[], None]]:
    """Every rank has the network and its share of a batch."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parallel = nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True)
    sgd, loss_of = optimizer(task, parallel.parameters()), nn.CrossEntropyLoss()
    share = task.batch // task.ranks
    mine = slice(dist.get_rank() * share, (dist.get_rank() + 1) * share)

    def step(images: Floats, labels: Labels, rate: float) -> None:
        at_rate(sgd, rate)
        sgd.zero_grad(set_to_none=True)
        loss_of(parallel(torch.from_numpy(images[mine])), torch.from_numpy(labels[mine])).backward()
        sgd.step()

    return step, lambda: None


def pipeline(task: Task, network: networks.Network) -> tuple[Step, Callable[[], None]]:
    """Every rank has a run of layers."""
    from torch.distributed import pipelining

    rank, last, layers = dist.get_rank(), task.ranks - 1, network.layers()
    ends = stages.bounds(cuts(task), len(layers))
    module = stages.Stage(layers[slice(*ends[rank])], torch.channels_last)
    given, made = borders(task, ends[rank])
    cpu = torch.device("cpu")
    stage = pipelining.PipelineStage(module, rank, task.ranks, cpu, given, made)
    schedule = pipelining.Schedule1F1B(stage, task.ranks, loss_fn=nn.CrossEntropyLoss())
    sgd = optimizer(task, module.parameters())

    def step(images: Floats, labels: Labels, rate: float) -> None:
        at_rate(sgd, rate)
        sgd.zero_grad(set_to_none=True)
        given = (torch.from_numpy(images),) if rank == 0 else ()
        wanted: dict[str, Any] = {"target": torch.from_numpy(labels)} if rank == last else {}
        schedule.step(*given, return_outputs=False, **wanted)
        sgd.step()

    def collect() -> None:
        for owner, (begin, end) in enumerate(ends):
            for layer in layers[begin:end]:
                for value in layer.state_dict().values():
                    value.copy_(received(value, owner))

    return step, collect


def borders(task: Task, ends: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What enters and leaves a stage for a micro-batch.

    Without them the stage tries itself out on memory that nobody has written, and its running
    statistics never recover from what they see there.
    """
    x, entering = torch.randn(task.batch // task.ranks, *task.shape), torch.empty(0)
    with torch.no_grad():
        for position, layer in enumerate(copied_layers(task)[: ends[1]]):
            entering = x.clone() if position == ends[0] else entering
            x = layer(x)
    return entering.requires_grad_(ends[0] > 0), x.requires_grad_()


def copied_layers(task: Task) -> list[nn.Module]:
    """Of the same network with other weights, to be tried out."""
    return networks.build(task.model, task.shape[1]).train().layers()


def received(value: Tensor, owner: int) -> Tensor:
    """The owner's; gloo sends contiguous tensors."""
    copy = value.detach().contiguous()
    dist.broadcast(copy, owner)
    return copy


def cuts(task: Task) -> stages.Cuts:
    """By the times of rank 0 on a micro-batch."""
    layers = copied_layers(task)
    images = torch.randn(task.batch // task.ranks, *task.shape)
    seconds = torch.tensor(stages.timed(layers, images))
    dist.broadcast(seconds, 0)
    return stages.balanced(seconds.tolist(), stages.allowed(layers), task.ranks)


def accuracy(task: Task, network: networks.Network, collect: Callable[[], None]) -> float:
    """Of the whole network, on rank 0; told to all."""
    collect()
    found = torch.zeros(1)
    if dist.get_rank() == 0:
        images, labels = task.test()
        network.eval()
        with torch.no_grad():
            answers = network(torch.from_numpy(images)).argmax(1)
        network.train()
        found[0] = float((answers == torch.from_numpy(labels)).float().mean())
    dist.broadcast(found, 0)
    return float(found)


if __name__ == "__main__":
    main()
