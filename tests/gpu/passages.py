"""A rank of a run whose messages travel in several ways: a program of these tests.

Started by `pyhpmp.launch`; rank 0 prints one JSON object.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
from typing import Any

import numpy as np

import pyhpmp
from pyhpmp import launch, world
from pyhpmp.records import PASSAGES

STEPS, BATCH = 3, 16

FAKE = ctypes.CDLL(os.environ["HPMP_CUDA_DRIVER"]) if "HPMP_CUDA_DRIVER" in os.environ else None
# What differs in the environment; `only`: of the rank that is last.
CASES: dict[str, dict[str, Any]] = {
    "gpu": {},
    "off": {"HPMP_GPU_IPC": "0"},
    "off_on_one": {"HPMP_GPU_IPC": "0", "only": True},
    "gpu_again": {},
}
FAILURES: dict[str, dict[str, Any]] = {
    "not_named": {"HPMP_FAKE_IPC": "get"},
    "not_opened": {"HPMP_FAKE_IPC": "open"},
    "not_opened_by_one": {"HPMP_FAKE_IPC": "open", "only": True},
}


def trained(plan: pyhpmp.Plan) -> dict[str, Any]:
    """What a run came to, and how its bytes went."""
    trainer = pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.01), threads=1, device="cuda")
    generator = np.random.default_rng(1)
    shape = (BATCH, *plan.graph.input_shape)
    losses = []
    for _ in range(STEPS):
        images = generator.standard_normal(shape, dtype=np.float32)
        losses.append(trainer.step(images, generator.integers(0, 10, BATCH)))
    sent = trainer.engine.core.sent_bytes()
    world.current().sum(sent)
    weights = hashlib.sha256()
    for _, values in sorted(trainer.params().items()):
        weights.update(values.tobytes())
    return {
        "losses": losses,
        "weights": weights.hexdigest(),
        "sent": dict(zip(PASSAGES, sent.tolist(), strict=True)),
        "expected": STEPS * plan.volume_bytes,
        "memory": sum(world.current().gather(trainer.engine.core.memory_bytes)),
    }


def left_open() -> int:
    """Memory of other ranks that this one still has open, where the driver is the fake one."""
    return 0 if FAKE is None else ctypes.c_longlong.in_dll(FAKE, "hpmp_fake_open").value


def cases(ranks: world.World) -> dict[str, Any]:
    """One plan, trained in every way."""
    graph = pyhpmp.load("zoo:lenet5")
    plan = pyhpmp.plan(graph, batch=BATCH, strategy=sys.argv[1], seconds=1.0)
    found = {}
    for name, case in (CASES | (FAILURES if FAKE else {})).items():
        concerned = not case.get("only") or ranks.rank == ranks.size - 1
        changed = {key: value for key, value in case.items() if key != "only" and concerned}
        os.environ.update(changed)
        found[name] = trained(plan)
        for key in changed:
            del os.environ[key]
        found[name]["left_open"] = sum(ranks.gather(left_open()))
    return found


def main(context: launch.RankContext) -> int:
    with world.using(world.world_of(context)) as ranks:
        found = cases(ranks)
        if ranks.is_root:
            print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(launch.guard(main))
