"""Augmented images and masks: what the names say, drawn alike wherever they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from pyhpmp import data
from pyhpmp.data.augment import View, look_of
from pyhpmp.records import Reads

SHAPE = (3, 32, 24)


def views(kind: str, samples: int = 2000, epoch: int = 0, seed: int = 0) -> list[View]:
    look = look_of(kind, seed, epoch, SHAPE)
    return [look(sample) for sample in range(samples)]


def one(make: Callable[..., npt.NDArray[Any]], part: data.Part, index: int, view: View) -> Any:
    """A sample as it is seen in a view."""
    return make(part, np.array([index]), lambda _: view)[0]


@pytest.mark.parametrize("kind", ["flip", "crop", "resized-crop"])
def test_views_depend_on_seed_epoch_and_sample_alone(kind: str) -> None:
    first = views(kind)
    assert views(kind) == first
    assert look_of(kind, 0, 0, SHAPE)(1234) == first[1234]
    assert views(kind, epoch=1) != first
    assert views(kind, seed=1) != first
    flips = np.array([view.flipped for view in first])
    assert 900 < flips.sum() < 1100
    assert 400 < (flips & [view.flipped for view in views(kind, epoch=1)]).sum() < 600


def test_flipping_turns_left_and_right() -> None:
    image = np.random.default_rng(0).random(SHAPE, np.float32)
    np.testing.assert_array_equal(View(flipped=True).moved(image), np.flip(image, 2))
    np.testing.assert_array_equal(View().moved(image), image)


def test_crops_are_windows_of_the_image_in_a_frame_of_zeros() -> None:
    image = np.random.default_rng(0).random(SHAPE, np.float32)
    padded = torch.nn.functional.pad(torch.from_numpy(image), (3, 3, 4, 4)).numpy()
    seen = views("crop")
    for view in seen:
        top, left = view.shift[0] + 4, view.shift[1] + 3
        expected = padded[:, top : top + 32, left : left + 24]
        moved = view.moved(image)
        np.testing.assert_array_equal(np.flip(moved, 2) if view.flipped else moved, expected)
    for axis, most in ((0, 4), (1, 3)):
        shifts = [view.shift[axis] for view in seen]
        counts = [shifts.count(shift) for shift in range(-most, most + 1)]
        assert sum(counts) == len(seen)
        assert min(counts) > 0.7 * len(seen) / len(counts)


@pytest.mark.parametrize(("height", "width"), [(375, 500), (32, 32), (64, 20)])
def test_windows_have_the_areas_and_aspects_that_were_asked_for(height: int, width: int) -> None:
    areas = []
    for view in views("resized-crop"):
        top, left, h, w = view.window(height, width)
        assert 0 <= top <= height - h
        assert 0 <= left <= width - w
        assert (w + 0.5) / (h - 0.5) >= 3 / 4
        assert (w - 0.5) / (h + 0.5) <= 4 / 3
        areas.append(h * w / (height * width))
    assert 0.05 < min(areas) < 0.12
    assert max(areas) <= 1
    if height == width:
        assert max(areas) > 0.95


@pytest.mark.parametrize(
    ("size", "window"), [((100, 10), (43, 0, 13, 10)), ((9, 90), (0, 39, 9, 12))]
)
def test_an_image_that_no_window_fits_is_seen_in_its_middle(
    size: tuple[int, int], window: tuple[int, int, int, int]
) -> None:
    assert View(tries=((1.0, 0.5, 0.0, 0.0),)).window(*size) == window


def test_a_window_of_an_array_is_enlarged_as_torch_does_it() -> None:
    images = np.random.default_rng(0).random((4, 3, 40, 50), np.float32)
    part = data.Arrays(images, np.arange(4), "arrays")
    found = data.Dataset("d", 4, part, None, data.Transform(0.0, 1.0, SHAPE))
    for index, view in enumerate(views("resized-crop", 4)):
        top, left, h, w = view.window(40, 50)
        cut = torch.from_numpy(images[index : index + 1, :, top : top + h, left : left + w])
        (expected,) = torch.nn.functional.interpolate(cut, SHAPE[1:], mode="bilinear").numpy()
        if view.flipped:
            expected = expected[:, :, ::-1]
        np.testing.assert_allclose(
            one(found.images, part, index, view), expected, rtol=1e-4, atol=1e-5
        )


def masked(folder: Path, samples: int = 8) -> data.Dataset:
    """Images and masks of the same numbers, from 0 to 9, in blocks of 4x4 pixels."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for i in range(samples):
        small = np.random.default_rng(i).integers(0, 10, (8, 6), dtype=np.uint8)
        for kind in ("images", "masks"):
            Image.fromarray(small.repeat(4, 0).repeat(4, 1)).save(folder / kind / f"{i}.png")
    return data.load(f"folder:{folder}", (1, 32, 24), 10, pixels=(32, 24))


@pytest.mark.parametrize("kind", ["flip", "crop"])
def test_masks_move_with_their_images(tmp_path: Path, kind: str) -> None:
    found = masked(tmp_path)
    outside = 0
    for index, view in enumerate(views(kind, 8)):
        image = one(found.images, found.train, index, view)[0] * found.transform.std
        labels = one(found.labels, found.train, index, view)
        inside = labels >= 0
        np.testing.assert_allclose(
            image[inside] + found.transform.mean, labels[inside], rtol=0, atol=1e-4
        )
        assert not image[~inside].any()
        assert (~inside).sum() == 32 * 24 - (32 - abs(view.shift[0])) * (24 - abs(view.shift[1]))
        outside += int((~inside).sum())
    assert (outside > 0) == (kind == "crop")


def test_windows_of_masks_are_those_of_their_images(tmp_path: Path) -> None:
    found = masked(tmp_path)
    for index, view in enumerate(views("resized-crop", 8)):
        top, left, h, w = view.window(32, 24)
        for kind, form in (
            ("images", Image.Resampling.BILINEAR),
            ("masks", Image.Resampling.NEAREST),
        ):
            with Image.open(tmp_path / kind / f"{index}.png") as file:
                cut = file.crop((left, top, left + w, top + h)).resize((24, 32), form)
            expected = np.asarray(cut)[:, ::-1] if view.flipped else np.asarray(cut)
            if kind == "masks":
                np.testing.assert_array_equal(one(found.labels, found.train, index, view), expected)
                continue
            image = one(found.images, found.train, index, view)[0] * found.transform.std
            np.testing.assert_allclose(image + found.transform.mean, expected, rtol=0, atol=1e-3)


def test_labels_at_half_the_resolution_move_by_half_as_many_pixels() -> None:
    raw = np.arange(16 * 12).reshape(16, 12)
    seen = View(shift=(4, -2)).labels(raw, (16, 12), raw.shape, (32, 24))
    np.testing.assert_array_equal(seen[:14, 1:], raw[2:, :11])
    assert (seen[14:] == -1).all()
    assert (seen[:, 0] == -1).all()


def test_rows_are_the_same_whoever_reads_them() -> None:
    found = data.load("digits", (1, 16, 16), 10)
    order = data.shuffled(len(found.train), 3, 1)[:48]
    look = look_of("crop", 3, 1, (1, 16, 16))

    def made(rows: np.ndarray) -> np.ndarray:
        with data.Feed(found, 48, Reads(rows, rows), threads=2) as feed:
            ((images, _),) = feed.batches(found.train, [order], look)
        return images.copy()

    half = np.arange(48) % 3 == 0
    whole = made(np.ones(48, bool))
    np.testing.assert_array_equal(made(half)[half], whole[half])
    np.testing.assert_array_equal(made(~half)[~half], whole[~half])
    plain = found.batch(found.train, order)[0]
    assert sum(not np.array_equal(a, b) for a, b in zip(whole, plain, strict=True)) > 40
