"""Data over MPI: ranks read for themselves, and one that cannot ends the run for all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starting import hpmp_run

from pyhpmp.data.statistics import SAMPLE, sample_of


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_image_that_breaks_a_run_is_named_once_and_checkpoints_stay(
    tmp_path: Path, ranks: int
) -> None:
    """The broken one is none of those that mean and deviation are taken from."""
    samples = SAMPLE + 60
    broken = min(set(range(samples)) - set(sample_of(samples).tolist()))
    shades = np.random.default_rng(0).integers(0, 256, (samples, 8, 8), dtype=np.uint8)
    for i, shade in enumerate(shades):
        path = tmp_path / "photos" / f"class{i % 2}" / f"{i:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shade).save(path)
    name = str(sorted(tmp_path.glob("photos/*/*"))[broken].relative_to(tmp_path))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:40])
    words = ("zoo:lenet5", "--data", "folder:photos", "--batch", 32, "-n", ranks, "--epochs", 1)
    said = hpmp_run(tmp_path, *words, "--checkpoint", "kept", "--every", 1, "--strategy", "data")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert f"{name}: cannot be read as an image" in said.stderr
    assert list((tmp_path / "kept").iterdir())
    assert not (tmp_path / "trained.onnx").exists()


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos of bright squares, and masks that say where those are."""
    folder = tmp_path_factory.mktemp("masked")
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / "photos" / kind).mkdir(parents=True)
    for i in range(24):
        mask = np.zeros((16, 16), np.uint8)
        y, x = random.integers(0, 8, 2)
        mask[y : y + 8, x : x + 8] = 1
        image = mask[:, :, None] * 120 + random.integers(0, 60, (16, 16, 3), dtype=np.uint8)
        mask[0, :4] = 255
        Image.fromarray(mask).save(folder / "photos/masks" / f"{i:02}.png")
        Image.fromarray(image.astype(np.uint8)).save(folder / "photos/images" / f"{i:02}.png")
    return folder


@pytest.mark.parametrize("strategy", ["data", "layer"])
def test_ranks_that_read_their_own_masks_train_as_one_that_reads_all(
    masked: Path, strategy: str
) -> None:
    """The masks' pixels that count are not as many on one rank as on the other."""
    losses = []
    for ranks in (1, 2):
        words = ("zoo:unet", "--classes", 2, "--image", 16, "--data", "folder:photos", "-n", ranks)
        more = ("--batch", 8, "--bn-group", 4, "--augment", "crop", "--steps", 4, "--json")
        said = hpmp_run(masked, *words, *more, "--strategy", strategy, "--shards", 2)
        assert (said.returncode, said.stderr) == (0, "")
        losses.append(json.loads(said.stdout)["final_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)  # float32, 4 steps


def test_answers_for_masks_are_scored_as_on_one_rank(masked: Path) -> None:
    scores = []
    for ranks in (1, 2):
        words = ("zoo:unet", "--classes", 2, "--image", 16, "--data", "folder:photos", "--infer")
        said = hpmp_run(masked, *words, "-n", ranks, "--batch", 10, "--strategy", "data", "--json")
        assert (said.returncode, said.stderr) == (0, "")
        found = json.loads(said.stdout)
        scores.append((found["accuracy"], found["mean_iou"]))
    assert scores[0] == scores[1]
    assert 0 < scores[0][0] < 1
