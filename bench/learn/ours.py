"""A rank of ours that learns a task; prints the curve on rank 0."""

from __future__ import annotations

import json
import sys

import pyhpmp
from learn.task import Floats, Labels, Task, learn
from pyhpmp import world


def main() -> None:
    task, ranks = Task.parse(sys.argv[1]), world.current()
    graph = pyhpmp.load(f"zoo:{task.model}", classes=task.classes, image=task.shape[1])
    plan = pyhpmp.plan(
        graph,
        batch=task.batch,
        bn_group=task.batch // task.ranks,
        strategy=task.method,
        network=task.network,
        profile=task.profile,
    )
    params = task.initial() if ranks.is_root else {}
    trainer = pyhpmp.Trainer(plan, params=params, threads=1)

    def step(images: Floats, labels: Labels, rate: float) -> None:
        trainer.optimizer = pyhpmp.SGD(rate, task.momentum, task.weight_decay)
        trainer.step(images, labels)

    curve = learn(task, step, lambda: trainer.evaluate(*task.test())[1], lambda: ranks.gather(None))
    if ranks.is_root:
        print(json.dumps({"curve": curve, "predicted_step_seconds": plan.core.step_seconds}))


if __name__ == "__main__":
    main()
