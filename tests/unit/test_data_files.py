"""Data sets in files are indexes: what is mapped, what is read late, and what travels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pyhpmp import data
from pyhpmp.data.augment import plain
from pyhpmp.data.folder import Files
from pyhpmp.data.kept import Kept, kept
from pyhpmp.data.statistics import SAMPLE, mean_and_deviation, sample_of
from pyhpmp.errors import DataError

SHAPE = (3, 8, 8)


def photos(folder: Path, images: int = 6) -> npt.NDArray[np.uint8]:
    """Images of noise in two classes below `folder`; what they hold, in the order of the index."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, 8, 8, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        path = folder / ("ant" if i < images // 2 else "bee") / f"{i:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return pixels.transpose(0, 3, 1, 2)


def test_an_uncompressed_npz_is_mapped_and_travels_as_its_path(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (300, *SHAPE), dtype=np.uint8)
    arrays = {"x": x, "y": random.integers(0, 4, 300), "x_test": x[:7], "y_test": np.arange(7) % 4}
    np.savez(tmp_path / "plain.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    plain, packed = (data.load(f"npz:{tmp_path / f}.npz", SHAPE, 4) for f in ("plain", "packed"))
    assert isinstance(plain.train, data.Arrays)
    assert isinstance(plain.train.images, np.memmap)
    assert (plain.transform.mean, plain.transform.std) == pytest.approx((x.mean(), x.std()))
    chosen = np.array([5, 299, 0])
    for found in (plain, packed):
        text = pickle.dumps(found)
        assert len(text) < 2000
        there = pickle.loads(text)
        for part in ("train", "test"):
            ours, theirs = getattr(found, part), getattr(there, part)
            index = chosen % len(ours)
            for mine, other in zip(
                plain.batch(getattr(plain, part), index), there.batch(theirs, index), strict=True
            ):
                np.testing.assert_array_equal(mine, other)


def test_a_mapped_array_in_column_order_is_read_as_numpy_reads_it(tmp_path: Path) -> None:
    x = np.asfortranarray(np.random.default_rng(0).random((5, *SHAPE), np.float32))
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(5))
    found = data.load(f"npz:{tmp_path / 'd.npz'}", SHAPE, 5)
    np.testing.assert_array_equal(found.batch(found.train, np.arange(5))[0], x)


def test_images_of_a_folder_are_read_when_a_batch_needs_them(tmp_path: Path) -> None:
    pixels = photos(tmp_path)
    found = data.load(f"folder:{tmp_path}", SHAPE, 2)
    assert (found.transform.mean, found.transform.std) == pytest.approx(
        (pixels.mean(), pixels.std())
    )
    (tmp_path / "bee" / "00004.png").write_bytes(b"no image any more")
    images, labels = found.batch(found.train, np.array([3, 0]))
    expected = (pixels[[3, 0]].astype(np.float32) - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-6)
    assert labels.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"bee/00004[.]png: cannot be read as an image.*its place"):
        found.images(found.train, np.array([4]))


def test_the_index_of_a_folder_travels_without_pixels(tmp_path: Path) -> None:
    photos(tmp_path, 40)
    found = data.load(f"folder:{tmp_path}", SHAPE, 2)
    text = pickle.dumps(found)
    assert len(text) < 3000
    there = pickle.loads(text)
    np.testing.assert_array_equal(
        there.images(there.train, np.array([39])), found.images(found.train, np.array([39]))
    )
    files = Files(Path("d"), ["a/\u00e9 1.png", "a/b\n.png", "\udcff"])
    assert [str(files[i]) for i in range(3)] == ["d/a/\u00e9 1.png", "d/a/b\n.png", "d/\udcff"]


def test_the_sample_for_mean_and_deviation_is_bounded_and_always_the_same() -> None:
    assert sample_of(7).tolist() == list(range(7))
    chosen = sample_of(10**6)
    assert len(set(chosen.tolist())) == SAMPLE
    assert 0 <= chosen.min() < 10**4
    assert 99 * 10**4 < chosen.max() < 10**6
    np.testing.assert_array_equal(chosen, sample_of(10**6))


def test_mean_and_deviation_are_numpys() -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (50, 3, 9, 9), dtype=np.uint8)
    assert mean_and_deviation(pixels) == pytest.approx((pixels.mean(), pixels.std()), rel=1e-12)
    assert mean_and_deviation([np.full((2, 2), 7, np.uint8)]) == (7.0, 1.0)


def test_a_mask_with_more_classes_than_the_model_is_refused_when_it_is_read(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / kind / "a.png")
    found = data.load(f"folder:{tmp_path}", SHAPE, 2, pixels=(8, 8))
    assert found.labels(found.train, np.array([0]))[0].tolist() == [[1] * 8] * 8
    Image.fromarray(np.full((8, 8), 2, np.uint8)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=r"masks/a[.]png: a label is 2, the model has classes 0..1"):
        found.labels(found.train, np.array([0]))


def test_images_of_a_small_folder_are_decoded_once_unless_they_are_cut(tmp_path: Path) -> None:
    photos(tmp_path)
    found = data.load(f"folder:{tmp_path}", SHAPE, 2)
    chosen = np.array([1, 4])
    first = found.images(found.train, chosen)
    for path in tmp_path.glob("*/*.png"):
        path.unlink()
    np.testing.assert_array_equal(found.images(found.train, chosen), first)
    there = pickle.loads(pickle.dumps(found))
    cutting = data.look_of("resized-crop", 0, 0, SHAPE)
    for other, look in ((found, cutting), (there, plain)):
        with pytest.raises(DataError, match="No such file"):
            other.images(other.train, chosen, look)


def test_images_of_a_large_part_are_not_kept() -> None:
    few, many = (
        data.Arrays(np.zeros((n, 3, 1, 1), np.uint8), np.zeros(n, np.int64), "zeros")
        for n in (2, 500)
    )
    assert isinstance(kept(few, (3, 512, 512)), Kept)
    assert kept(many, (3, 512, 512)) is many


@pytest.mark.parametrize("side", [32, 100, 200])
def test_a_large_jpeg_is_scaled_to_what_its_whole_is_scaled_to(tmp_path: Path, side: int) -> None:
    """Within two levels of 256, though less of it is decoded where that is enough."""
    blocks = np.random.default_rng(0).integers(0, 256, (25, 30, 3), dtype=np.uint8)
    smooth = Image.fromarray(blocks).resize((480, 400), Image.Resampling.BICUBIC)
    (tmp_path / "ant").mkdir()
    smooth.save(tmp_path / "ant" / "a.jpg", quality=95)
    found = data.load(f"folder:{tmp_path}", (3, side, side), 1)
    with Image.open(tmp_path / "ant" / "a.jpg") as whole:
        expected = np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR))
    image = found.train.image(0).transpose(1, 2, 0).astype(int)
    assert np.abs(image - expected).mean() < 2
