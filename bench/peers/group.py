"""The ranks of a PyTorch peer: one process each, over gloo on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from peers import serving
from peers.job import Job, Unavailable


def main(build: Callable[[Job], serving.Work]) -> None:
    """Joins the group that RANK and WORLD_SIZE speak of, builds and serves."""
    job = Job.parse(sys.argv[1])
    if job.dtype != "fp32":
        raise SystemExit("the comparison of ranks is in fp32")
    serving.limit_threads(job.threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    serving.serve(lambda asked: _joined(build, asked), job, int(os.environ["RANK"]))


def _joined(build: Callable[[Job], serving.Work], job: Job) -> serving.Work:
    import torch.distributed as dist

    if not dist.is_available():
        raise Unavailable("this PyTorch was built without torch.distributed")
    meeting = f"file://{job.socket}.meeting"
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    return build(job)
