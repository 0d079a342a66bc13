"""Data files that are cut off, lie about their size or hold what they must not: one line each."""

from __future__ import annotations

import gzip
import struct
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import say
from test_data_formats import idx, png, random_bytes, write_cifar, write_tar

from pyhpmp import data
from pyhpmp.commands.run import main
from pyhpmp.errors import DataError

IMAGE = png(random_bytes(8, 8, 3))
LARGEST = 50 * 2**20  # bytes that reading any of these may take


def refusal(spec: str, shape: tuple[int, int, int]) -> str:
    """The one line with which a data set is refused, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            data.load(spec, shape, 10)
        assert tracemalloc.get_traced_memory()[1] < LARGEST
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert "\n" not in text
    return text


def cut(folder: Path) -> None:
    path = folder / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])


def wrong_class(folder: Path) -> None:
    path = folder / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[2 * 3073] = 10
    path.write_bytes(content)


def pickled(folder: Path) -> None:
    for path in folder.iterdir():
        path.rename(path.with_suffix(""))


def emptied(folder: Path) -> None:
    (folder / "data_batch_1.bin").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "data_batch_2.bin: 15364 bytes are not whole records of 3073"),
        (emptied, "data_batch_1.bin: 0 bytes"),
        (wrong_class, "test_batch.bin: record 2 has class 10"),
        (pickled, "pickled version of CIFAR-10 is not read; unpack cifar-10-binary.tar.gz"),
    ],
)
def test_cifar10_that_is_none_is_refused(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    write_cifar(tmp_path)
    change(tmp_path)
    assert message in refusal(f"cifar10:{tmp_path}", (3, 32, 32))


IMAGES = idx(random_bytes(5, 28, 28))
LABELS = idx(np.arange(5, dtype=np.uint8))
HUGE = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2**31, 2**31, 2**31)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:-1], LABELS, "3919 bytes follow its header, which says (5, 28, 28)"),
        (IMAGES + b"?", LABELS, "3921 bytes follow"),
        (IMAGES[:9], LABELS, "ends in its header"),
        (b"", LABELS, "begins with nothing"),
        (
            LABELS,
            LABELS,
            "begins with 00000801, an idx file of bytes in 3 dimensions with 00000803",
        ),
        (b"\0\0\x0d\3" + IMAGES[4:], LABELS, "begins with 00000d03"),
        (HUGE + IMAGES[16:], LABELS, "3920 bytes follow"),
        (IMAGES, LABELS[:-1], "4 bytes follow"),
        (IMAGES, idx(np.arange(4, dtype=np.uint8)), "give every image a class"),
        (IMAGES, idx(np.array([0, 1, 2, 3, 99], np.uint8)), "classes 0..99, the model has 10"),
        (idx(random_bytes(0, 28, 28)), idx(np.empty(0, np.uint8)), "give every image a class"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_that_do_not_hold_what_they_say_are_refused(
    tmp_path: Path, images: bytes, labels: bytes, message: str, packed: bool
) -> None:
    for name, content in (("images-idx3", images), ("labels-idx1", labels)):
        path = tmp_path / f"train-{name}-ubyte{'.gz' * packed}"
        path.write_bytes(gzip.compress(content) if packed else content)
    said = refusal(f"mnist:{tmp_path}", (1, 28, 28))
    assert message in said or (images[:16] == HUGE and "too many to unpack" in said)


def test_a_packed_file_that_is_cut_or_swells_is_refused(tmp_path: Path) -> None:
    images, labels = (tmp_path / f"train-{n}-ubyte.gz" for n in ("images-idx3", "labels-idx1"))
    labels.write_bytes(gzip.compress(LABELS))
    images.write_bytes(gzip.compress(IMAGES)[:-2000])
    assert "images-idx3-ubyte.gz: cannot be read" in refusal(f"mnist:{tmp_path}", (1, 28, 28))
    images.write_bytes(b"no gzip at all")
    assert "images-idx3-ubyte.gz: cannot be read" in refusal(f"mnist:{tmp_path}", (1, 28, 28))
    images.write_bytes(gzip.compress(IMAGES + bytes(100 * 2**20)))
    assert "bytes follow its header" in refusal(f"mnist:{tmp_path}", (1, 28, 28))
    labels.unlink()
    images.unlink()
    assert "no train-images-idx3-ubyte, nor with .gz" in refusal(f"mnist:{tmp_path}", (1, 28, 28))


def sample(key: str, image: bytes = IMAGE, label: bytes = b"0") -> dict[str, bytes]:
    return {f"{key}.png": image, f"{key}.cls": label}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.txt": b""}, "no images"),
        (sample("a") | {"b.png": IMAGE}, "'b' has no .cls"),
        ({"b.cls": b"1"} | sample("a"), "'b' has no image"),
        (sample("a") | {"a.jpg": IMAGE}, "'a' has a second '.jpg'"),
        (sample("a", label=b"-1"), "holds '-1'; it must be a class"),
        (sample("a", label=b"cat"), "holds 'cat'"),
        (sample("a", label=b""), "holds ''"),
        (sample("a", label=b"9" * 30), "it must be a class"),
        (sample("a", label=b"1" * 1000), "it must be a class"),
        (sample("a", label=b"10"), "classes 0..10, the model has 10"),
        (sample("a", image=b"no image"), "the image at byte 512: cannot be read as an image"),
    ],
)
def test_shards_that_hold_no_samples_are_refused(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    write_tar(tmp_path / "train.tar", members)
    assert message in refusal(f"tar:{tmp_path}/train.tar", (3, 8, 8))


def member(kind: bytes, size: int = 0, name: str = "a.png") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "/etc/passwd"
    return info.tobuf(tarfile.GNU_FORMAT)


PAX = b"21 size=-99999999999\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member(tarfile.SYMTYPE), "'a.png' is no plain file"),
        (member(tarfile.LNKTYPE), "'a.png' is no plain file"),
        (member(tarfile.FIFOTYPE), "'a.png' is no plain file"),
        (member(tarfile.REGTYPE, 4096), "'a.png' goes beyond the end"),
        (member(tarfile.REGTYPE, 2**60), "'a.png' goes beyond the end"),
        (member(tarfile.REGTYPE, -512), "goes beyond the end"),
        (member(tarfile.GNUTYPE_LONGNAME, 2**40), "a header of"),
        (member(tarfile.XHDTYPE, 2**33), "a header of"),
        (
            member(tarfile.XHDTYPE, len(PAX)) + PAX.ljust(512, b"\0") + member(b"0"),
            "beyond the end",
        ),
        (b"\1" * 512, "cannot be read as a tar file"),
        (gzip.compress(bytes(2**20)), "not a tar, or cut"),
        (b"", "cannot be read as a tar file"),
    ],
)
def test_shards_that_are_no_tar_files_or_lie_are_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "train.tar").write_bytes(content)
    assert message in refusal(f"tar:{tmp_path}/train.tar", (3, 8, 8))


def test_an_image_too_large_to_be_one_is_refused(tmp_path: Path) -> None:
    """The file has a hole of that size."""
    path = tmp_path / "train.tar"
    path.write_bytes(member(tarfile.REGTYPE, 2**28 + 512))
    with path.open("r+b") as file:
        file.truncate(2**28 + 2048)
    assert "an image at most 268435456" in refusal(f"tar:{path}", (3, 8, 8))


def test_shards_of_several_parts_must_be_told_apart(tmp_path: Path) -> None:
    for name in ("train-0", "val-0"):
        write_tar(tmp_path / f"{name}.tar", sample("a"))
    assert "name those to train on" in refusal(f"tar:{tmp_path}/*.tar", (3, 8, 8))
    assert "no file matches" in refusal(f"tar:{tmp_path}/none-*.tar", (3, 8, 8))


@pytest.mark.parametrize(
    "spec",
    [
        "cifar10:nowhere",
        "mnist:nowhere",
        "tar:nowhere/*.tar",
        "folder:nowhere",
        "npz:nowhere",
        "folder:" + 300 * "x",
        "npz:" + 300 * "x",
        "tar:",
        "digits:",
        "mnist",
    ],
)
def test_data_that_are_not_there_are_one_line(
    capsys: pytest.CaptureFixture[str], spec: str
) -> None:
    said = say(capsys, main, "zoo:lenet5", "--data", spec, "--json")
    assert said.is_one_line_mistake()
    assert "nowhere" in said.err or "unknown data set" in said.err or "too long" in said.err
