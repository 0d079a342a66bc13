"""Checkpoints: what training goes on from, in whole files that do not depend on the plan.

A file holds weights and running statistics under the parameters' names, and what the optimizer
keeps of them, so that a run may go on with other ranks, another strategy or another machine. Files
of the first format are of sgd, and do not say so.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pyhpmp import _core
from pyhpmp.errors import DataError, InvalidArgumentError
from pyhpmp.files import replacing
from pyhpmp.graph import Params
from pyhpmp.optimizers import checked_kind

FORMAT, FIRST_FORMAT = "hpmp-checkpoint 2", "hpmp-checkpoint 1"
NAME = re.compile(r"step-(\d{9})\.safetensors")
KEPT = 2  # a crash while the last one is written loses nothing


@dataclass(frozen=True)
class Checkpoint:
    """step: how many were made. weights (with running statistics): by parameter, on rank 0; empty
    elsewhere. state: arrays of the optimizer, by their names and then likewise. facts: of the run,
    for who resumes it.
    """

    step: int
    weights: Params = field(default_factory=dict, repr=False)
    state: dict[str, Params] = field(default_factory=dict, repr=False)
    optimizer: str = "sgd"
    facts: dict[str, str] = field(default_factory=dict)


def save(folder: str | os.PathLike[str], checkpoint: Checkpoint) -> Path:
    """Writes the checkpoint, whole or not at all, and removes all but the newest two.

    Raises:
        InvalidArgumentError: the folder cannot be written.
    """
    path = Path(folder) / f"step-{checkpoint.step:09d}.safetensors"
    state = {
        f"{kept}:{name}": array
        for kept, params in checkpoint.state.items()
        for name, array in params.items()
    }
    about = {
        "format": FORMAT,
        "step": str(checkpoint.step),
        "optimizer": checkpoint.optimizer,
        "facts": json.dumps(checkpoint.facts),
    }
    with replacing(path) as temporary:
        save_file({**checkpoint.weights, **state}, temporary, about)
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
            if about.get("format") not in (FORMAT, FIRST_FORMAT):
                raise DataError(f"{path} is no checkpoint of hpmp: it does not say '{FORMAT}'")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        step, facts = int(about["step"]), json.loads(about["facts"])
        optimizer = checked_kind(about.get("optimizer", "sgd"))
    except (OSError, SafetensorError, KeyError, ValueError, InvalidArgumentError) as error:
        raise DataError(f"cannot read the checkpoint {path}: {error}") from error
    state = {kept: _named(arrays, kept) for kept in _core.optimizer_states(optimizer)}
    return Checkpoint(step, arrays, state, optimizer, facts)


def _named(arrays: Params, kept: str) -> Params:
    """Takes an optimizer's arrays of one name out of those of a file; by parameter."""
    prefix = f"{kept}:"
    found = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in found}


def check_optimizer(checkpoint: Checkpoint, kind: str) -> None:
    """Raises InvalidArgumentError where the checkpoint holds another optimizer's state."""
    if checkpoint.optimizer != kind:
        raise InvalidArgumentError(
            f"the checkpoint of step {checkpoint.step} was made with the optimizer "
            f"{checkpoint.optimizer}, whose state is none of {kind}; go on with "
            f"{checkpoint.optimizer}"
        )


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
