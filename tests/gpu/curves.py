"""Trains and runs small networks on a device, and prints what came out: a program of these tests.

python curves.py DEVICE CASE        one JSON object
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

import pyhpmp
from pyhpmp import local

STEPS, BATCH = 4, 12
#: Small steps, and none that takes the sign of what is rounding alone.
OPTIMIZERS = {"sgd": pyhpmp.SGD(lr=2e-4), "adamw": pyhpmp.AdamW(lr=1e-4, eps=1e-3)}

# what differs from a plain training run on as many ranks
CASES: dict[str, dict[str, Any]] = {
    "one_rank": {"ranks": 1},
    "data": {"ranks": 2, "strategy": "data"},
    "layer": {"ranks": 2, "strategy": "layer"},
    "filter": {"ranks": 4, "strategy": "filter"},
    "hypergraph": {"ranks": 4, "strategy": "hypergraph"},
    "bn_sync": {"ranks": 2, "strategy": "data", "bn": "sync", "bn_group": BATCH},
    "bf16": {"ranks": 2, "strategy": "filter", "dtype": "bf16"},
    "adamw": {"ranks": 2, "strategy": "filter", "optimizer": "adamw", "label_smoothing": 0.1},
    "dropout": {"ranks": 2, "strategy": "owt", "model": "zoo:mobilenet_v2", "image": 32},
}


def off_the_kink(graph: pyhpmp.Graph) -> None:
    """Channels that ReLUs pass or stop as a whole: there, rounding stays as small as it is."""
    for info in graph.core.params:
        if info.role == "scale" and graph.params:
            graph.params[info.name][...] = 0.5
        if info.role == "shift" and graph.params:
            graph.params[info.name][...] = np.where(np.arange(info.dims[0]) % 4 == 3, -3, 3)


def outcome(device: str, case: dict[str, Any]) -> dict[str, Any]:
    """Losses of the steps, a digest of the weights, and outputs with running statistics."""
    case = {"model": "zoo:resnet20", "image": 16, "bn_group": BATCH // 2, **case}
    smoothing = case.pop("label_smoothing", 0.0)
    ranks, model, image = case.pop("ranks"), case.pop("model"), case.pop("image")

    def work(rank: int) -> dict[str, Any]:
        graph = pyhpmp.load(model, image=image, classes=10)
        off_the_kink(graph)
        generator = np.random.default_rng(1)
        shape = (BATCH, *graph.input_shape)
        plan = pyhpmp.plan(graph, batch=BATCH, seconds=1.0, **case)
        trainer = pyhpmp.Trainer(
            plan,
            OPTIMIZERS[plan.core.optimizer],
            threads=1,
            device=device,
            label_smoothing=smoothing,
        )
        assert trainer.engine.device.kind == device
        losses = []
        for _ in range(STEPS):
            images = generator.standard_normal(shape, dtype=np.float32)
            losses.append(trainer.step(images, generator.integers(0, 10, BATCH)))
        assert trainer.bytes_sent() == STEPS * plan.volume_bytes
        weights = {name: w.copy() for name, w in trainer.params().items()}
        session = pyhpmp.Session(plan, params=weights, threads=1, device=device)
        outputs = session(generator.standard_normal(shape, dtype=np.float32))
        return {
            "losses": losses,
            "weights": {name: digest(w) for name, w in weights.items()},
            "outputs": outputs.reshape(-1).tolist(),
        }

    result: dict[str, Any] = local.run(ranks, work)[0]
    return result


def digest(weights: Any) -> list[float]:
    """Numbers that change with every one of the weights."""
    flat = weights.reshape(-1).astype(np.float64)
    return [float(np.abs(flat).sum()), float(flat @ np.cos(np.arange(flat.size)))]


if __name__ == "__main__":
    print(json.dumps(outcome(sys.argv[1], CASES[sys.argv[2]])))
