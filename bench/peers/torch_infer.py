"""PyTorch inference: eager or compiled with its weights frozen, NCHW or channels_last."""

from __future__ import annotations

from peers import serving
from peers.job import Job


def build(job: Job) -> serving.Work:
    import torch  # reads the number of threads when it is imported

    from peers import torch_step

    if "compile" in job.variant:
        import torch._inductor.config as inductor

        inductor.freezing = True  # batch-norm folded, weights in the kernels' layout
    module = torch_step.prepared(torch_step.network(job).eval(), job)
    images, _ = torch_step.random_batch(job, job.batch, 1)

    def step() -> float:
        with torch.no_grad(), torch_step.autocast(job):
            return float(module(images)[0, 0])

    return serving.Work(step, torch_step.facts(job))


if __name__ == "__main__":
    serving.main(build)
