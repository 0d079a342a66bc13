"""Where data come from: `digits` (bundled), `npz:FILE`, `folder:DIR`, `synthetic`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from pyhpmp.data import folder
from pyhpmp.data.dataset import Dataset, Target, Transform
from pyhpmp.data.npz import open_npz
from pyhpmp.data.part import Arrays, Part, Raw
from pyhpmp.data.statistics import chunks, mean_and_deviation, read_sample
from pyhpmp.errors import DataError

SPECS = "digits, npz:FILE, folder:DIR or synthetic"
#: What masks usually have where there is no class.
IGNORED = 255
Shape = tuple[int, int, int]


def load(
    spec: str,
    shape: Shape,
    classes: int,
    *,
    pixels: tuple[int, ...] = (),
    ignore: int = IGNORED,
    batch: int = 1,
    seed: int = 0,
) -> Dataset:
    """Opens a data set for a model: files are found and checked, images read when they are needed.

    Args:
        spec: `digits`, `npz:FILE`, `folder:DIR` or `synthetic`.
        shape: (C, H, W) of the model's input.
        classes: outputs of the model.
        pixels: (H, W) of the labels where the model labels pixels, () where it labels images.
        ignore: a pixel's label that does not count, as -1 does not.
        batch: samples of a step; how much `synthetic` makes.
        seed: of `synthetic`.

    Raises:
        DataError: the file is missing or malformed, or does not fit the model.
    """
    kind, _, rest = spec.partition(":")
    target = Target(pixels, ignore if pixels else -1, classes)
    if spec == "digits" and not pixels:
        data = _digits(shape, target)
    elif spec == "digits":
        raise DataError("data 'digits' has one class per image, the model labels every pixel")
    elif kind == "npz" and rest:
        data = _npz(Path(rest), shape, target)
    elif kind == "folder" and rest:
        data = _folder(Path(rest), shape, target)
    elif spec == "synthetic":
        data = _synthetic(shape, classes, batch, seed, target)
    else:
        raise DataError(f"--data {spec}: unknown data set; use {SPECS}")
    if data.classes > classes:
        raise DataError(
            f"data '{data.name}' has classes 0..{data.classes - 1}, the model has {classes} "
            f"outputs; use a model with at least {data.classes} (zoo models: --classes)"
        )
    return data


def _digits(shape: Shape, target: Target) -> Dataset:
    if shape[1] < 8 or shape[2] < 8:
        raise DataError(f"data 'digits' needs images of at least 8x8, the model reads {shape}")
    with resources.files("pyhpmp.data").joinpath("digits.npz").open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False))
    train, test = (Arrays(arrays["x" + p], arrays["y" + p], "digits") for p in ("", "_test"))
    return Dataset("digits", 10, train, test, _standardised(chunks(train.images), shape), target)


def _standardised(images: Iterable[Raw], shape: Shape) -> Transform:
    """Mean 0 and variance 1 over training images as they are stored."""
    return Transform(*mean_and_deviation(images), shape)


def _synthetic(shape: Shape, classes: int, batch: int, seed: int, target: Target) -> Dataset:
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**64, 0]))
    images = generator.standard_normal((batch, *shape), dtype=np.float32)
    labels = generator.integers(0, classes, (batch, *target.shape), dtype=np.int64)
    train, transform = Arrays(images, labels, "synthetic"), Transform(0.0, 1.0, shape)
    return Dataset("synthetic", classes, train, None, transform, Target(target.shape))


def _folder(path: Path, shape: Shape, target: Target) -> Dataset:
    """Mean, deviation and, of masks, classes are those of a sample."""
    train, test = (
        folder.open_masked(path, shape) if target.shape else folder.open_classes(path, shape)
    )
    classes = _classes(path, _labels(train, test), target)
    transform = _standardised(read_sample(train.image, len(train)), shape)
    return Dataset(path.name, classes, train, test, transform, target)


def _labels(*parts: Part | None) -> Iterator[Raw]:
    """All labels where they are at hand; of masks in files those of a sample."""
    for part in parts:
        if isinstance(part, Arrays | folder.LabelledFiles):
            yield from chunks(part.labels)
        elif part is not None:
            yield from read_sample(part.label, len(part))


def _classes(path: Path, labels: Iterable[Raw], target: Target) -> int:
    """One more than the largest label that counts."""
    highest = -1
    for some in labels:
        counts = some[(some != target.ignore) & (some != -1)]
        highest = max(highest, int(counts.max()) if counts.size else -1)
    if highest < 0:
        raise DataError(f"{path}: no label counts; {target.ignore} stands for none")
    return highest + 1


def _npz(path: Path, shape: Shape, target: Target) -> Dataset:
    train, test = open_npz(path, shape, target.shape)
    classes = _classes(path, _labels(train, test), target)
    raw = train.images.dtype == np.uint8
    transform = _standardised(chunks(train.images), shape) if raw else Transform(0.0, 1.0, shape)
    return Dataset(path.name, classes, train, test, transform, target)
