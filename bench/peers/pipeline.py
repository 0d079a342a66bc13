"""PyTorch's pipelining: GPipe or 1F1B, cut at the best layer found, with the best micro-batches.

The search starts where the layers' times balance, and changes one thing at a time: the number of
micro-batches, the schedule, the memory format, the cut. What is fastest is kept.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peers import group, serving
from peers.job import Job

MICRO_BATCHES = (2, 4, 8)
SCHEDULES = ("1F1B", "GPipe")
VARIANTS = ("channels_last", "eager")
TIMED_STEPS = 2
Step = Callable[[], float]


@dataclass(frozen=True)
class Form:
    """One way to run the pipeline."""

    cuts: tuple[int, ...]
    micro_batches: int
    schedule: str = SCHEDULES[0]
    variant: str = VARIANTS[0]


def build(job: Job) -> serving.Work:
    import torch.distributed as dist

    from peers import torch_step

    form = _searched(job)
    gc.collect()  # what the search leaves behind is no memory of the pipeline's
    facts = torch_step.facts(job) | {"pipeline": dataclasses.asdict(form)}
    return serving.Work(_step(form, job), facts, dist.barrier)


def _layers(job: Job) -> list[Any]:
    """The whole network, the same on every rank; a stage keeps its own part only."""
    from peers import torch_step

    network: Any = torch_step.network(job).train()
    layers: list[Any] = network.layers()
    return layers


def _searched(job: Job) -> Form:
    from peers import stages

    layers = _layers(job)
    positions = stages.allowed(layers)
    chosen = Form(_first_cuts(layers, positions, job), MICRO_BATCHES[0])
    fastest = _seconds(_step(chosen, job))
    for variations in (_micro_batches, _schedules, _variants, lambda f, _: _moved(f, positions)):
        for form in variations(chosen, job):
            seconds = _seconds(_step(form, job))
            if seconds < fastest:
                chosen, fastest = form, seconds
    return chosen


def _first_cuts(layers: Sequence[Any], positions: list[int], job: Job) -> tuple[int, ...]:
    """By the times of rank 0, which all ranks are told."""
    import torch
    import torch.distributed as dist

    from peers import stages, torch_step

    images, _ = torch_step.random_batch(job, max(job.batch // 4, 1), 1)
    seconds = torch.tensor(stages.timed(layers, images))
    dist.broadcast(seconds, 0)
    return stages.balanced(seconds.tolist(), positions, job.ranks)


def _micro_batches(form: Form, job: Job) -> Iterator[Form]:
    for count in MICRO_BATCHES[1:]:
        if job.batch % count == 0:
            yield dataclasses.replace(form, micro_batches=count)


def _schedules(form: Form, _: Job) -> Iterator[Form]:
    yield dataclasses.replace(form, schedule=SCHEDULES[1])


def _variants(form: Form, _: Job) -> Iterator[Form]:
    yield dataclasses.replace(form, variant=VARIANTS[1])


def _moved(form: Form, positions: list[int]) -> Iterator[Form]:
    from peers import stages

    for moved in stages.neighbours(form.cuts, positions):
        yield dataclasses.replace(form, cuts=moved)


def _step(form: Form, job: Job) -> Step:
    """This rank's part of a step; the last rank returns the loss, the others 0."""
    import torch
    import torch.distributed as dist
    from torch.distributed.pipelining import PipelineStage

    from peers import stages, torch_step

    rank, last = dist.get_rank(), job.ranks - 1
    layers = _layers(job)
    begin, end = stages.bounds(form.cuts, len(layers))[rank]
    kinds = {"channels_last": torch.channels_last, "eager": torch.contiguous_format}
    module = stages.Stage(layers[begin:end], kinds[form.variant])
    stage = PipelineStage(module, rank, job.ranks, torch.device("cpu"))
    schedule = _schedule(form, stage)
    images, labels = torch_step.random_batch(job, job.batch, torch_step.classes_of(job))
    sgd = torch_step.optimizer(module)

    def step() -> float:
        sgd.zero_grad(set_to_none=True)
        losses: list[torch.Tensor] = []
        given = (images,) if rank == 0 else ()
        wanted = {"target": labels, "losses": losses} if rank == last else {}
        schedule.step(*given, return_outputs=False, **wanted)
        sgd.step()
        return sum(float(loss.detach()) for loss in losses) / max(len(losses), 1)

    return step


def _schedule(form: Form, stage: Any) -> Any:
    from torch import nn
    from torch.distributed import pipelining

    kinds = {"1F1B": pipelining.Schedule1F1B, "GPipe": pipelining.ScheduleGPipe}
    return kinds[form.schedule](stage, form.micro_batches, loss_fn=nn.CrossEntropyLoss())


def _seconds(step: Step) -> float:
    """Of a step on the slowest rank, after one to warm up; the same figure on every rank."""
    import torch
    import torch.distributed as dist

    step()
    dist.barrier()
    began = time.perf_counter()
    for _ in range(TIMED_STEPS):
        step()
    taken = torch.tensor([time.perf_counter() - began])
    dist.all_reduce(taken, dist.ReduceOp.MAX)
    return float(taken) / TIMED_STEPS


if __name__ == "__main__":
    group.main(build)
