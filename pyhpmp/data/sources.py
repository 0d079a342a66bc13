"""Where data come from: a word or `KIND:PATH` to a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from pyhpmp.data import folder
from pyhpmp.data.cifar import CLASSES as CIFAR_CLASSES
from pyhpmp.data.cifar import SHAPE as CIFAR_SHAPE
from pyhpmp.data.cifar import open_cifar10
from pyhpmp.data.dataset import Dataset, Target, Transform
from pyhpmp.data.idx import open_mnist
from pyhpmp.data.kept import kept
from pyhpmp.data.npz import open_npz
from pyhpmp.data.part import Arrays, Part, Raw
from pyhpmp.data.shards import open_shards
from pyhpmp.data.statistics import chunks, mean_and_deviation, read_sample
from pyhpmp.errors import DataError

SYNTHETIC = "synthetic"  # made, not read: the spec and the data set's name
SPECS = "digits, npz:FILE, folder:DIR, tar:GLOB, cifar10:DIR, mnist:DIR or synthetic"
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
        spec: one of SPECS.
        shape: (C, H, W) of the model's input.
        classes: outputs of the model.
        pixels: (H, W) of the labels where the model labels pixels, () where it labels images.
        ignore: a pixel's label that does not count, as -1 does not.
        batch: samples of a step; how much `synthetic` makes.
        seed: of `synthetic`.

    Raises:
        DataError: the file is missing or malformed, or does not fit the model.
    """
    target = Target(pixels, ignore if pixels else -1, classes)
    if spec == SYNTHETIC:
        return _synthetic(shape, classes, batch, seed, target)
    kind, colon, rest = spec.partition(":")
    opened = _KINDS.get(kind + colon)
    if opened is None or bool(colon) != bool(rest):
        raise DataError(f"--data {spec}: unknown data set; use {SPECS}")
    if pixels and kind not in _WITH_MAPS:
        raise DataError(f"data '{kind}' has one class per image, the model labels every pixel")
    try:
        data = opened(rest, shape, target)
    except OSError as error:
        raise DataError(f"--data {spec}: {error.strerror or error}") from error
    if data.classes > classes:
        raise DataError(
            f"data '{data.name}' has classes 0..{data.classes - 1}, the model has {classes} "
            f"outputs; use a model with at least {data.classes} (zoo models: --classes)"
        )
    return data


def _digits(_: str, shape: Shape, target: Target) -> Dataset:
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
    train, transform = Arrays(images, labels, SYNTHETIC), Transform(0.0, 1.0, shape)
    return Dataset(SYNTHETIC, classes, train, None, transform, Target(target.shape))


def _folder(rest: str, shape: Shape, target: Target) -> Dataset:
    path = Path(rest)
    if target.shape:
        return _of_files(path.name, folder.open_masked(path, shape), shape, target)
    return _of_files(path.name, folder.open_classes(path, shape), shape, target)


def _tar(pattern: str, shape: Shape, target: Target) -> Dataset:
    return _of_files(Path(pattern).name, open_shards(pattern, shape), shape, target)


def _of_files(name: str, parts: tuple[Part, Part | None], shape: Shape, target: Target) -> Dataset:
    """Mean, deviation and, of masks, classes are those of a sample."""
    train, test = parts
    classes = _classes(name, _labels(*parts), target)
    transform = _standardised(read_sample(train.image, len(train)), shape)
    test = None if test is None else kept(test, shape)
    return Dataset(name, classes, kept(train, shape), test, transform, target)


def _cifar10(rest: str, shape: Shape, target: Target) -> Dataset:
    train, test = open_cifar10(Path(rest))
    if shape[0] != CIFAR_SHAPE[0]:
        raise DataError(f"data 'cifar10' has 3 channels, the model reads {shape[0]}")
    transform = _standardised(train.pixels(), shape)
    return Dataset("cifar10", CIFAR_CLASSES, train, test, transform, target)


def _mnist(rest: str, shape: Shape, target: Target) -> Dataset:
    path = Path(rest)
    train, test = open_mnist(path)
    classes = _classes(path.name, _labels(train, test), target)
    transform = _standardised(chunks(train.images), shape)
    return Dataset(path.name, classes, train, test, transform, target)


def _labels(*parts: Part | None) -> Iterator[Raw]:
    """All labels where they are at hand; of masks in files those of a sample."""
    for part in parts:
        if part is not None and part.labels is not None:
            yield from chunks(part.labels)
        elif part is not None:
            yield from read_sample(part.label, len(part))


def _classes(name: str, labels: Iterable[Raw], target: Target) -> int:
    """One more than the largest label that counts."""
    highest = -1
    for some in labels:
        counts = some[(some != target.ignore) & (some != -1)]
        highest = max(highest, int(counts.max()) if counts.size else -1)
    if highest < 0:
        raise DataError(f"{name}: no label counts; {target.ignore} stands for none")
    return highest + 1


def _npz(rest: str, shape: Shape, target: Target) -> Dataset:
    path = Path(rest)
    train, test = open_npz(path, shape, target.shape)
    classes = _classes(str(path), _labels(train, test), target)
    raw = train.images.dtype == np.uint8
    transform = _standardised(chunks(train.images), shape) if raw else Transform(0.0, 1.0, shape)
    return Dataset(path.name, classes, train, test, transform, target)


_KINDS: dict[str, Callable[[str, Shape, Target], Dataset]] = {
    "digits": _digits,
    "npz:": _npz,
    "folder:": _folder,
    "tar:": _tar,
    "cifar10:": _cifar10,
    "mnist:": _mnist,
}
_WITH_MAPS = ("npz", "folder")  # of labels
