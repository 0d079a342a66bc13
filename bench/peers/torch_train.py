"""PyTorch training on one process: eager or compiled, NCHW or channels_last, fp32 or bf16 autocast.

By hand: echo '{"steps": 3}' | python -m peers.torch_train '{"model": "resnet18", "image": 224,
"batch": 16, "variant": "channels_last"}'
"""

from __future__ import annotations

from peers import serving
from peers.job import Job


def build(job: Job) -> serving.Work:
    from peers import torch_step  # torch reads the number of threads when it is imported

    module = torch_step.prepared(torch_step.network(job).train(), job)
    batch = torch_step.random_batch(job, job.batch, torch_step.classes_of(job))
    return serving.Work(torch_step.training_step(module, batch, job), torch_step.facts(job))


if __name__ == "__main__":
    serving.main(build)
