"""Images and labels come in as DLPack; what does not fit is refused with what it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_network as tiny
import torch

import pyhpmp


@pytest.fixture(scope="module")
def trainer() -> pyhpmp.Trainer:
    plan = pyhpmp.plan(tiny.graph(), batch=tiny.BATCH, bn_group=8)
    return pyhpmp.Trainer(plan, pyhpmp.SGD(lr=0.0))


IMAGES, LABELS = tiny.batch()


def test_numpy_and_torch_arrays_give_the_same_loss(trainer: pyhpmp.Trainer) -> None:
    loss = trainer.step(IMAGES, LABELS)
    assert trainer.step(torch.from_numpy(IMAGES), torch.from_numpy(LABELS)) == loss


def test_read_only_arrays_are_taken(trainer: pyhpmp.Trainer) -> None:
    images = IMAGES.copy()
    images.flags.writeable = False
    assert np.isfinite(trainer.step(images, LABELS))


class OldProducer:
    """An array library from before DLPack 1.0, which knows no `max_version`."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self) -> Any:
        return self.array.__dlpack__()


def test_capsules_of_both_dlpack_versions_are_read(trainer: pyhpmp.Trainer) -> None:
    assert trainer.step(OldProducer(IMAGES), OldProducer(LABELS)) == trainer.step(IMAGES, LABELS)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(np.float64), LABELS, "images: dtype float64; pass float32"),
        (IMAGES, LABELS.astype(np.int32), "labels: dtype int32; pass int64"),
        (IMAGES[:8], LABELS, r"images: shape \(8, 3, 8, 8\); the plan needs \(16, 3, 8, 8\)"),
        (IMAGES, LABELS[:8], r"labels: shape \(8\); the plan needs \(16\)"),
        (IMAGES[:, :, ::-1], LABELS, "images: not contiguous"),
        (IMAGES.tolist(), LABELS, "images: a list is no DLPack array"),
        (IMAGES, None, "labels: a NoneType is no DLPack array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    trainer: pyhpmp.Trainer, images: Any, labels: Any, message: str
) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match=message):
        trainer.step(images, labels)


def test_a_tensor_that_cannot_be_shared_is_refused(trainer: pyhpmp.Trainer) -> None:
    images = torch.from_numpy(IMAGES.copy()).requires_grad_()
    with pytest.raises(pyhpmp.InvalidArgumentError, match="images: cannot be shared"):
        trainer.step(images, LABELS)
