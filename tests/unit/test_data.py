"""Data sets: what they hold, what they refuse, and that every rank sees the same order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pyhpmp import data
from pyhpmp.data.resize import resized
from pyhpmp.errors import DataError


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits", (3, 32, 32), 10)


def test_digits_are_split_evenly_over_the_classes(digits: data.Dataset) -> None:
    assert digits.test is not None
    assert (len(digits.train), len(digits.test)) == (1442, 355)
    counts = np.bincount(digits.test.labels, minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 36


def test_no_test_image_is_among_the_training_images(digits: data.Dataset) -> None:
    assert digits.test is not None
    train = {image.tobytes() for image in digits.train.images}
    assert not any(image.tobytes() in train for image in digits.test.images)


def test_digits_fit_the_model_and_are_standardised(digits: data.Dataset) -> None:
    images, labels = digits.batch(digits.train, np.arange(len(digits.train)))
    assert images.shape == (1442, 3, 32, 32)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert images.flags.c_contiguous
    assert abs(images.mean()) < 0.01
    assert 0.7 < images.std() < 1.01  # interpolation smooths


@pytest.mark.parametrize("size", [(8, 8), (12, 20), (32, 32), (5, 7)])
def test_scaling_is_torchs_bilinear_one(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images), size=size, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resized(images, *size), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    first = data.shuffled(1000, 3, 5)
    np.random.default_rng(0).random(10)
    assert np.array_equal(first, data.shuffled(1000, 3, 5))
    assert sorted(first) == list(range(1000))
    assert not np.array_equal(first, data.shuffled(1000, 3, 6))
    assert not np.array_equal(first, data.shuffled(1000, 4, 5))


def test_more_classes_than_outputs_are_refused() -> None:
    with pytest.raises(DataError, match=r"0\.\.9, the model has 9 outputs"):
        data.load("digits", (3, 32, 32), 9)


def test_synthetic_images_depend_on_the_seed() -> None:
    one, same, other = (
        data.load("synthetic", (3, 4, 4), 7, batch=6, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(one.train.images, same.train.images)
    assert not np.array_equal(one.train.images, other.train.images)
    assert one.train.labels.max() < 7


GOOD = {"x": np.zeros((5, 3, 4, 4), np.float32), "y": np.arange(5)}


def test_an_npz_file_without_test_part_is_read_as_it_is(tmp_path: Path) -> None:
    images = np.random.default_rng(0).standard_normal((5, 3, 4, 4), dtype=np.float32)
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(5))
    found = data.load(f"npz:{tmp_path / 'd.npz'}", (3, 4, 4), 10)
    assert found.test is None
    assert found.classes == 5
    batch, labels = found.batch(found.train, np.array([2, 0]))
    assert np.array_equal(batch, images[[2, 0]])
    assert labels.tolist() == [2, 0]


def test_bytes_are_standardised_over_the_training_part(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), dtype=np.uint8)
    labels = np.zeros(50, np.int64)
    np.savez(tmp_path / "d.npz", x=images, y=labels, x_test=images[:5], y_test=labels[:5])
    found = data.load(f"npz:{tmp_path / 'd.npz'}", (1, 4, 4), 1)
    batch, _ = found.batch(found.train, np.arange(50))
    assert batch.mean() == pytest.approx(0, abs=1e-5)
    assert batch.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": GOOD["x"]}, "no array 'y'"),
        (GOOD | {"x_test": GOOD["x"]}, "come together"),
        (GOOD | {"x": GOOD["x"].astype(np.float64)}, "float64; it must be uint8"),
        (GOOD | {"x": GOOD["x"][:, :, :2]}, "the model reads N x 3 x 4 x 4"),
        (GOOD | {"x": GOOD["x"][:4]}, "x has 4 samples, y has 5"),
        (GOOD | {"y": np.arange(5) - 1}, "classes start at 0"),
        (GOOD | {"y": np.arange(5.0)}, "integer class numbers"),
        (GOOD | {"x": GOOD["x"] + np.inf}, "not finite"),
        (GOOD | {"x": GOOD["x"][:0], "y": GOOD["y"][:0]}, "x is empty"),
        (GOOD | {"y": np.array([None] * 5)}, "cannot be read"),
    ],
)
def test_npz_files_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=message):
        data.load(f"npz:{tmp_path / 'd.npz'}", (3, 4, 4), 10)


def test_files_that_are_no_npz_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match=r"not an \.npz file"):
        data.load(f"npz:{path}", (3, 4, 4), 10)
    np.savez(path, **GOOD)
    path.write_bytes(path.read_bytes()[:300] + path.read_bytes()[-300:])
    with pytest.raises(DataError):
        data.load(f"npz:{path}", (3, 4, 4), 10)


def write_classes(path: Path, classes: dict[str, int], images: int = 2, size: int = 12) -> None:
    """Images of one shade per class."""
    for name, shade in classes.items():
        (path / name).mkdir(parents=True)
        for i in range(images):
            Image.fromarray(np.full((size, size, 3), shade + i, np.uint8)).save(
                path / name / f"{i}.png"
            )


def test_a_folder_per_class_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"dog": 100, "ant": 20, "cat": 60})
    write_classes(tmp_path / "val", {"cat": 60, "dog": 100}, images=1)
    (tmp_path / "train" / "ant" / "notes.txt").write_text("no image, and not read as one")
    found = data.load(f"folder:{tmp_path}", (3, 6, 6), 5)
    assert found.test is not None
    assert (found.classes, len(found.train), len(found.test)) == (3, 6, 2)
    images, labels = found.batch(found.train, np.arange(6))
    assert images.shape == (6, 3, 6, 6)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    shades = images[:, 0, 0, 0] * found.transform.std + found.transform.mean
    np.testing.assert_allclose(shades, [20, 21, 60, 61, 100, 101], rtol=1e-5)
    assert found.batch(found.test, np.arange(2))[1].tolist() == [1, 2]


def test_a_folder_of_classes_without_parts_has_no_test_images(tmp_path: Path) -> None:
    write_classes(tmp_path, {"ant": 20, "cat": 60})
    found = data.load(f"folder:{tmp_path}", (1, 6, 6), 2)
    assert (len(found.train), found.test) == (4, None)


def test_a_folder_that_has_no_classes_is_refused(tmp_path: Path) -> None:
    def opened(classes: int = 5) -> data.Dataset:
        return data.load(f"folder:{tmp_path / 'photos'}", (3, 6, 6), classes)

    with pytest.raises(DataError, match="photos: no such folder"):
        opened()
    (tmp_path / "photos" / "ant").mkdir(parents=True)
    with pytest.raises(DataError, match="no images; put those of each class into a folder"):
        opened()
    (tmp_path / "photos" / "ant" / "a.png").write_text("no image")
    with pytest.raises(DataError, match=r"a[.]png: cannot be read as an image"):
        opened()
    (tmp_path / "photos" / "ant" / "a.png").unlink()
    write_classes(tmp_path / "photos" / "train", {"ant": 20, "cat": 60})
    with pytest.raises(DataError, match=r"classes 0[.][.]1, the model has 1 outputs"):
        opened(classes=1)
    write_classes(tmp_path / "photos" / "test", {"bee": 20})
    with pytest.raises(DataError, match="'bee' is no class of the training images"):
        opened()
