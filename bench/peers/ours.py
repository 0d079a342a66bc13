"""Our engine through its public API, on one rank or on K ranks under MPI."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from peers import serving
from peers.job import Job

RATE = 1e-4  # as the peers'
MODULE = "peers.ours"


def build(job: Job) -> serving.Work:
    """Training where the variant says so, else inference; collective."""
    import pyhpmp
    from pyhpmp import world

    training = job.variant == "train"
    graph = pyhpmp.load(f"zoo:{job.model}", image=job.image)
    plan = pyhpmp.plan(
        graph,
        batch=job.batch,
        bn_group=job.batch // job.ranks if training else 0,
        profile=job.profile,
        network=job.network,
        training=training,
        dtype=job.dtype,
        # The machine profile is a processor's; shards for its caches only launch more kernels.
        shards=1 if job.device == "cuda" and job.ranks == 1 else None,
    )
    step = _training(plan, job) if training else _inference(plan, job)
    ranks = world.current()
    return serving.Work(step, _facts(graph, plan), lambda: _together(ranks))


def _together(ranks: Any) -> None:
    ranks.gather(None)


def _training(plan: Any, job: Job) -> Callable[[], float]:
    import numpy as np

    import pyhpmp

    trainer = pyhpmp.Trainer(
        plan,
        pyhpmp.SGD(lr=RATE, momentum=0.9),
        keep_weights=False,
        threads=job.threads,
        device=job.device,
        numerics=job.numerics,
    )
    images = _images(plan)
    labels = np.random.default_rng(2).integers(0, plan.graph.classes, plan.batch)
    return lambda: trainer.step(images, labels)


def _inference(plan: Any, job: Job) -> Callable[[], float]:
    import pyhpmp

    session = pyhpmp.Session(
        plan,
        keep_weights=False,
        threads=job.threads,
        device=job.device,
        numerics=job.numerics,
    )
    images = _images(plan)
    return lambda: float(session(images)[0, 0])


def _images(plan: Any) -> Any:
    import numpy as np

    shape = (plan.batch, *plan.graph.input_shape)
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def _facts(graph: Any, plan: Any) -> dict[str, Any]:
    import pyhpmp

    return {
        "parameters": graph.parameter_count,
        "forward_flops": int(sum(n.work.forward for n in plan.prepared.nodes if n.is_mixing)),
        "versions": {"hpmp": pyhpmp.__version__},
        "strategy": plan.comparison.chosen,
        "predicted_seconds": plan.core.step_seconds,
        "bytes_per_step": plan.volume_bytes,
    }


def _as_rank(job: Job, context: Any) -> int:
    from pyhpmp import world

    with world.using(world.world_of(context)) as ranks:
        serving.serve(build, job, ranks.rank)
    return 0


def main() -> int:
    """Starts the ranks, or is one of them."""
    job = Job.parse(sys.argv[1])
    serving.limit_threads(job.threads)
    from pyhpmp import launch

    if job.ranks > 1 and not launch.is_launched():
        return launch.run(sys.argv[1:], job.ranks, program=MODULE, module=MODULE)
    return launch.guard(lambda context: _as_rank(job, context), program=MODULE)


if __name__ == "__main__":
    sys.exit(main())
