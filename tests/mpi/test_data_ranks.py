"""Data over MPI: ranks read for themselves, and one that cannot ends the run for all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starting import outside_environment

from pyhpmp.data.statistics import SAMPLE, sample_of


def hpmp_run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyhpmp.commands.run", *map(str, words)],
        cwd=folder,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


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
