"""What the environment says of a launch: whether one has happened, and which rank this is."""

from __future__ import annotations

import os
from collections.abc import Mapping

# One variable that each launcher sets in the ranks that it starts.
LAUNCHED = (
    "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_RANK",
    "PALS_RANKID",
    "ALPS_APP_PE",
    "FLUX_TASK_RANK",
    "JSM_NAMESPACE_RANK",
    "PMI_RANK",
    "PMIX_RANK",
)

STATUS_DIR = "HPMP_STATUS_DIR"  # folder of the supervisor's socket and the ranks' status files
EXPECT_SIZE = "HPMP_EXPECT_SIZE"  # how many ranks the supervisor started


def is_launched(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether an MPI launcher started this process.

    Plain SLURM_* variables are an allocation; only a step of several tasks is a launch.
    """
    if any(name in environ for name in LAUNCHED):
        return True
    tasks = environ.get("SLURM_STEP_NUM_TASKS", "1")
    return "SLURM_PROCID" in environ and tasks.isdigit() and int(tasks) > 1


def launched_rank(environ: Mapping[str, str] = os.environ) -> int:
    """This process's rank as the launcher numbers it, before MPI is initialised; else 0."""
    for name in (*LAUNCHED, "SLURM_PROCID"):
        if environ.get(name, "").isdigit():
            return int(environ[name])
    return 0
