"""CIFAR-10's, MNIST's and WebDataset's files: what is read, against what was written."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pyhpmp import data
from pyhpmp.errors import DataError

Bytes = npt.NDArray[np.uint8]


def random_bytes(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def raw(found: data.Dataset, part: data.Part, samples: range) -> Bytes:
    """Images as they were before they were standardised."""
    images = found.batch(part, np.array(samples))[0]
    return np.rint(images * found.transform.std + found.transform.mean).astype(np.uint8)


def write_cifar(folder: Path, records: int = 5) -> tuple[Bytes, Bytes]:
    """Two training files and a test file of as many records; all images and labels."""
    images, labels = random_bytes(3 * records, 3, 32, 32), np.arange(3 * records) % 10
    for i, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        part = slice(i * records, (i + 1) * records)
        rows = np.hstack([labels[part, None].astype(np.uint8), images[part].reshape(records, -1)])
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    return images, labels.astype(np.uint8)


def test_cifar10_is_read_through_its_files(tmp_path: Path) -> None:
    images, labels = write_cifar(tmp_path)
    found = data.load(f"cifar10:{tmp_path}", (3, 32, 32), 10)
    assert found.test is not None
    assert (len(found.train), len(found.test), found.classes) == (10, 5, 10)
    np.testing.assert_array_equal(raw(found, found.train, range(10)), images[:10])
    np.testing.assert_array_equal(raw(found, found.test, range(5)), images[10:])
    assert found.batch(found.train, np.arange(10))[1].tolist() == labels[:10].tolist()
    assert found.batch(found.test, np.arange(5))[1].tolist() == labels[10:].tolist()
    assert found.transform.mean == pytest.approx(images[:10].mean())
    assert found.train.name(7).endswith("data_batch_2.bin, record 2")
    text = pickle.dumps(found)
    assert len(text) < 2000
    there = pickle.loads(text)
    np.testing.assert_array_equal(raw(there, there.train, range(10)), images[:10])


def idx(array: Bytes) -> bytes:
    return (
        bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + bytes(array)
    )


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_plain_and_packed(tmp_path: Path, packed: bool) -> None:
    images, labels = random_bytes(9, 28, 28), (np.arange(9) % 4).astype(np.uint8)
    for name, array in (
        ("train-images-idx3-ubyte", images[:6]),
        ("train-labels-idx1-ubyte", labels[:6]),
        ("t10k-images-idx3-ubyte", images[6:]),
        ("t10k-labels-idx1-ubyte", labels[6:]),
    ):
        content = gzip.compress(idx(array)) if packed else idx(array)
        (tmp_path / (name + ".gz" * packed)).write_bytes(content)
    found = data.load(f"mnist:{tmp_path}", (1, 28, 28), 10)
    assert found.test is not None
    np.testing.assert_array_equal(raw(found, found.train, range(6)), images[:6, None])
    np.testing.assert_array_equal(raw(found, found.test, range(3)), images[6:, None])
    assert found.batch(found.train, np.arange(6))[1].tolist() == labels[:6].tolist()
    assert isinstance(found.train, data.Arrays)
    assert isinstance(found.train.images, np.memmap) is not packed
    assert len(pickle.dumps(found)) < 2000


def test_mnist_fits_models_of_other_sizes(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(random_bytes(4, 28, 28)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    found = data.load(f"mnist:{tmp_path}", (3, 32, 32), 10)
    assert found.test is None
    assert found.batch(found.train, np.arange(4))[0].shape == (4, 3, 32, 32)


def png(pixels: Bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_shards(folder: Path, part: str, pixels: Bytes, shards: int) -> None:
    """Samples in turn over the shards, with members that are not read and names that are long."""
    for shard in range(shards):
        members: dict[str, bytes] = {}
        for i in range(shard, len(pixels), shards):
            key = f"{'long' * 40}/{i:04}"
            members |= {
                f"{key}.json": b"{}",
                f"{key}.png": png(pixels[i]),
                f"{key}.cls": b"%d\n" % i,
            }
        write_tar(folder / f"{part}-{shard:03}.tar", members)


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_shards_are_read_by_offset_in_any_order(tmp_path: Path, test_name: str) -> None:
    pixels = random_bytes(10, 8, 8, 3)
    write_shards(tmp_path, "train", pixels[:7], 3)
    write_shards(tmp_path, test_name, pixels[7:], 1)
    found = data.load(f"tar:{tmp_path}/train-*.tar", (3, 8, 8), 7)
    assert found.test is not None
    assert (len(found.train), len(found.test), found.classes) == (7, 3, 7)
    order = np.array([6, 0, 3, 5, 1, 2, 4])
    images, labels = found.batch(found.train, order)
    assert sorted(labels.tolist()) == list(range(7))
    expected = pixels[labels].transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_allclose(
        images * found.transform.std + found.transform.mean, expected, atol=1e-3
    )
    text = pickle.dumps(found)
    assert len(text) < 5000
    there = pickle.loads(text)
    np.testing.assert_array_equal(there.batch(there.train, order)[0], images)


def test_an_image_is_read_from_its_shard_alone_when_it_is_needed(tmp_path: Path) -> None:
    write_shards(tmp_path, "train", random_bytes(4, 8, 8, 3), 2)
    found = data.load(f"tar:{tmp_path}/*.tar", (3, 8, 8), 4)
    (tmp_path / "train-001.tar").unlink()
    found.images(found.train, np.array([0]))
    with pytest.raises(DataError, match=r"train-001[.]tar: No such file"):
        found.images(found.train, np.array([3]))
