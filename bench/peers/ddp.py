"""PyTorch's DistributedDataParallel over gloo: every rank has the network and its share of a batch.

Buckets have their default size, and gradients are views of them.
"""

from __future__ import annotations

from peers import group, serving
from peers.job import Job


def build(job: Job) -> serving.Work:
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from peers import torch_step

    module = torch_step.prepared(torch_step.network(job).train(), job)
    parallel = DistributedDataParallel(module, gradient_as_bucket_view=True)
    samples, classes = job.batch // job.ranks, torch_step.classes_of(job)
    batch = torch_step.random_batch(job, samples, classes, seed=dist.get_rank())
    step = torch_step.training_step(parallel, batch, job)
    return serving.Work(step, torch_step.facts(job), dist.barrier)


if __name__ == "__main__":
    group.main(build)
