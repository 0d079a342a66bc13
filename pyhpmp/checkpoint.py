"""Checkpoints: what training goes on from, in whole files that do not depend on the plan.

A file holds weights, running statistics and momentum under the parameters' names, so that a run may
go on with other ranks, another strategy or another machine.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pyhpmp.errors import DataError, InvalidArgumentError
from pyhpmp.files import replacing
from pyhpmp.graph import Params

FORMAT = "hpmp-checkpoint 1"
MOMENTUM = "momentum:"
NAME = re.compile(r"step-(\d{9})\.safetensors")
KEPT = 2  # a crash while the last one is written loses nothing


@dataclass(frozen=True)
class Checkpoint:
    """step: how many were made. weights (with running statistics), momentum: by parameter, on rank
    0; empty elsewhere. facts: of the run, for who resumes it.
    """

    step: int
    weights: Params = field(default_factory=dict, repr=False)
    momentum: Params = field(default_factory=dict, repr=False)
    facts: dict[str, str] = field(default_factory=dict)


def save(folder: str | os.PathLike[str], checkpoint: Checkpoint) -> Path:
    """Writes the checkpoint, whole or not at all, and removes all but the newest two.

    Raises:
        InvalidArgumentError: the folder cannot be written.
    """
    path = Path(folder) / f"step-{checkpoint.step:09d}.safetensors"
    momentum = {MOMENTUM + name: array for name, array in checkpoint.momentum.items()}
    about = {"format": FORMAT, "step": str(checkpoint.step), "facts": json.dumps(checkpoint.facts)}
    with replacing(path) as temporary:
        save_file({**checkpoint.weights, **momentum}, temporary, about)
    for old in _all(path.parent)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: str | os.PathLike[str]) -> Path | None:
    """The checkpoint of the most steps, if there is one."""
    found = _all(Path(folder))
    return found[-1] if found else None


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        DataError: the file is none, or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise DataError(f"{path} is no checkpoint of hpmp: it does not say '{FORMAT}'")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        step, facts = int(about["step"]), json.loads(about["facts"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"cannot read the checkpoint {path}: {error}") from error
    weights = {name: a for name, a in arrays.items() if not name.startswith(MOMENTUM)}
    momentum = {
        name.removeprefix(MOMENTUM): a for name, a in arrays.items() if name.startswith(MOMENTUM)
    }
    return Checkpoint(step, weights, momentum, facts)


def prepare_folder(folder: str | os.PathLike[str]) -> None:
    """Makes the folder. Raises InvalidArgumentError before hours of work instead of after them."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgumentError(f"cannot make {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK):
        raise InvalidArgumentError(f"cannot write into {path}")


def _all(folder: Path) -> list[Path]:
    """Checkpoints, those of the fewest steps first."""
    return sorted(path for path in folder.glob("step-*") if NAME.fullmatch(path.name))
