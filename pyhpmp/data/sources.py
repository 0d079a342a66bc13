"""Where data come from: `digits` (bundled), `npz:FILE`, `folder:DIR`, `synthetic`."""

from __future__ import annotations

import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp.data import folder
from pyhpmp.data.dataset import Dataset, Split, Target, Transform
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
    """Opens a data set for a model.

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
    target = Target(pixels, ignore if pixels else -1)
    if spec == "digits" and not pixels:
        data = _digits(shape)
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


def _digits(shape: Shape) -> Dataset:
    if shape[1] < 8 or shape[2] < 8:
        raise DataError(f"data 'digits' needs images of at least 8x8, the model reads {shape}")
    with resources.files("pyhpmp.data").joinpath("digits.npz").open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False))
    train, test = (
        Split(arrays["x" + part][:, None], arrays["y" + part].astype(np.int64))
        for part in ("", "_test")
    )
    return Dataset("digits", 10, train, test, _standardised(train, shape))


def _standardised(train: Split, shape: Shape) -> Transform:
    """Mean 0 and variance 1 over the training images as they are stored."""
    std = float(train.images.std(dtype=np.float64))
    return Transform(float(train.images.mean(dtype=np.float64)), std or 1.0, shape)


def _synthetic(shape: Shape, classes: int, batch: int, seed: int, target: Target) -> Dataset:
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**64, 0]))
    images = generator.standard_normal((batch, *shape), dtype=np.float32)
    labels = generator.integers(0, classes, (batch, *target.shape), dtype=np.int64)
    train, transform = Split(images, labels), Transform(0.0, 1.0, shape)
    return Dataset("synthetic", classes, train, None, transform, Target(target.shape))


def _folder(path: Path, shape: Shape, target: Target) -> Dataset:
    read = folder.read_masked if target.shape else folder.read_classes
    train, test = read(path, shape)
    classes = _classes(path, (train, test), target)
    return Dataset(path.name, classes, train, test, _standardised(train, shape), target)


def _classes(path: Path, splits: tuple[Split | None, ...], target: Target) -> int:
    """One more than the largest label that counts."""
    highest = -1
    for split in splits:
        if split is not None and len(split):
            counts = split.labels[(split.labels != target.ignore) & (split.labels != -1)]
            highest = max(highest, int(counts.max(initial=-1)))
    if highest < 0:
        raise DataError(f"{path}: no label counts; {target.ignore} stands for none")
    return highest + 1


def _npz(path: Path, shape: Shape, target: Target) -> Dataset:
    arrays = _arrays(path)
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(f"{path}: no array '{name}'; the file needs x and y (x_test, y_test)")
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(f"{path}: x_test and y_test come together or not at all")
    train = _split(path, arrays, "", shape, target)
    test = _split(path, arrays, "_test", shape, target) if "x_test" in arrays else None
    if len(train) == 0:
        raise DataError(f"{path}: x is empty")
    raw = train.images.dtype == np.uint8
    transform = _standardised(train, shape) if raw else Transform(0.0, 1.0, shape)
    classes = _classes(path, (train, test), target)
    return Dataset(path.name, classes, train, test, transform, target)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        if not zipfile.is_zipfile(path):
            path.open("rb").close()
            raise DataError(f"{path}: not an .npz file; write it with numpy.savez")
        with np.load(path, allow_pickle=False) as file:
            wanted = [name for name in ("x", "y", "x_test", "y_test") if name in file.files]
            return {name: file[name] for name in wanted}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _split(
    path: Path, arrays: dict[str, npt.NDArray[Any]], part: str, shape: Shape, target: Target
) -> Split:
    """Checks x and y of one part against each other, the model's input and its output."""
    x, y = arrays["x" + part], arrays["y" + part]
    if x.dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise DataError(f"{path}: x{part} is {x.dtype}; it must be uint8 (0..255) or float32")
    if x.ndim == 3:
        x = x[:, None]
    if x.ndim != 4 or x.shape[1:] != shape:
        wanted = " x ".join(map(str, shape))
        raise DataError(f"{path}: x{part} has shape {x.shape}; the model reads N x {wanted}")
    if y.ndim != 1 + len(target.shape) or y.dtype.kind not in "iu":
        wanted = "N x height x width" if target.shape else "N"
        raise DataError(
            f"{path}: y{part} is {y.dtype} of shape {y.shape}; it must be {wanted} integer class "
            "numbers"
        )
    if len(x) != len(y):
        raise DataError(f"{path}: x{part} has {len(x)} samples, y{part} has {len(y)}")
    if y.size and int(y.min()) < (-1 if target.shape else 0):
        raise DataError(f"{path}: y{part} holds {int(y.min())}; classes start at 0")
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise DataError(f"{path}: x{part} holds values that are not finite")
    return Split(x, y)
