"""Every family of torchvision's convolutional classifiers, in every form that PyTorch exports,
imports, infers and trains, on one rank and on four."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision_models
from onnx_reference import assert_same, run_onnx
from torch_reference import (
    Grads,
    Images,
    Labels,
    errors,
    float64_in,
    least_gap,
    off_the_kink,
    without_dropout,
    worst_errors,
)
from torchvision_miniatures import CLASSES, MINIATURES, build

import onnx_import
import pyhpmp
from pyhpmp import local

#: float32; sums in another order than onnxruntime's, PyTorch's or one rank's.
OUTPUTS, GRADIENTS, RANKS = 1e-4, 1e-3, 1e-5
# Eight samples keep rounding away from the kinks that the shifted networks still have (max pools).
BATCH = 8
# Where two values of a max pool's window differ in the last bits, rounding decides which of them
# has the gradient. So channels that are pooled spread wide, and these images keep them apart.
CLEAR, SPREADS, SEEDS = 3e-6, {"inception_v3": 1.25}, {"inception_v3": 17}
CASES = [(name, form) for name in MINIATURES for form in torchvision_models.FORMS]
MASKED = ("efficientnet", "efficientnet_v2", "convnext")


@lru_cache
def batch_for(name: str) -> tuple[Images, Labels]:
    random, side = np.random.default_rng(SEEDS.get(name, 1)), MINIATURES[name].image
    images = random.standard_normal((BATCH, 3, side, side), dtype=np.float32)
    return images, random.integers(0, CLASSES, BATCH)


def exported(network: torch.nn.Module, name: str, form: str, folder: Path) -> Path:
    path = folder / f"{form}.onnx"
    return torchvision_models.export(network, form, path, image=MINIATURES[name].image)


def inferred(path: Path, images: Images, ranks: int) -> Images:
    """The engine's outputs; several ranks share out the channels of every layer."""

    def work(rank: int) -> Images:
        graph = pyhpmp.load(path)
        plan = pyhpmp.plan(graph, batch=BATCH, strategy="filter", training=False)
        return pyhpmp.Session(plan, threads=1)(images)

    return local.run(ranks, work)[0]


def trained(path: Path, name: str, ranks: int) -> tuple[float, Grads]:
    """Loss and gradients of one step with the statistics of the whole batch."""

    def work(rank: int) -> tuple[float, Grads]:
        graph = pyhpmp.load(path)
        plan = pyhpmp.plan(graph, batch=BATCH, strategy="filter", bn_group=BATCH)
        trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=1e-3), threads=1)
        return trainer.step(*batch_for(name)), trainer.engine.grads()

    return local.run(ranks, work)[0]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_inference_on_one_and_on_four_ranks_is_onnxruntimes(
    name: str, form: str, tmp_path: Path
) -> None:
    network, images = build(name), batch_for(name)[0]
    path = exported(network, name, form, tmp_path)
    imported = onnx_import.load(path)
    onnx_import.export(imported, imported.params, tmp_path / "inference.onnx")
    wanted = run_onnx(tmp_path / "inference.onnx", images)
    with torch.no_grad():
        assert_same(wanted, [network(torch.from_numpy(images)).numpy()], OUTPUTS)
    for ranks in (1, 4):
        assert_same([inferred(path, images, ranks)], wanted, OUTPUTS)


@pytest.mark.parametrize("name", MINIATURES)
def test_a_step_on_one_and_on_four_ranks_has_autograds_gradients(name: str, tmp_path: Path) -> None:
    network = off_the_kink(without_dropout(build(name)), SPREADS.get(name, 0.5))
    path = exported(network, name, "legacy_train", tmp_path)
    network.train()
    images, labels = batch_for(name)
    assert name not in SEEDS or least_gap(network, images) >= CLEAR
    exact = float64_in(network, images, labels)
    expected, theirs = worst_errors(network, images, labels, exact)
    for ranks in (1, 4):
        loss, grads = trained(path, name, ranks)
        assert loss == pytest.approx(expected, rel=1e-4)
        for parameter, error in errors(grads, exact).items():
            assert error <= GRADIENTS + 3 * theirs[parameter], parameter


@pytest.mark.parametrize("name", MASKED)
def test_stochastic_depth_is_trained_with_and_does_not_depend_on_the_plan(
    name: str, tmp_path: Path
) -> None:
    path = exported(build(name), name, "legacy_train", tmp_path)
    text = onnx_import.load(path).graph_text
    ratios = [
        float(line.split("ratio=")[1].split()[0])
        for line in text.splitlines()
        if "per_sample=1" in line
    ]
    assert ratios
    assert all(0 < ratio < 0.4 for ratio in ratios)
    (one, grads), (four, others) = (trained(path, name, ranks) for ranks in (1, 4))
    assert four == pytest.approx(one, rel=RANKS)
    assert grads.keys() == others.keys()
