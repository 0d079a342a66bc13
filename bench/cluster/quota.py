"""A host's share of the processor: where hosts outnumber cores, 1 / stretch of a core and no more.

Without it a host that waits would lend its share to the others, and a strategy that keeps few hosts
busy at a time would seem as much faster than it is.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

PERIOD_US = 10_000  # the shortest for which the kernel keeps to the quota within 2%
V1 = Path("/sys/fs/cgroup/cpu")
V2 = Path("/sys/fs/cgroup")


class QuotaError(Exception):
    """No share can be set, with the reason."""


def limit(group: str, cores: float) -> Path:
    """Makes the control group; whoever is written into the file that is returned is limited by it.

    Raises:
        QuotaError: no control groups for processor time that this process may write.
    """
    quota = round(PERIOD_US * cores)
    try:
        if (V1 / "cpu.shares").exists():
            return _limit(V1 / group, {"cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": quota})
        return _limit(V2 / group, {"cpu.max": f"{quota} {PERIOD_US}"})
    except OSError as error:
        raise QuotaError(f"{error.filename}: {error.strerror}") from error


def _limit(folder: Path, settings: dict[str, int | str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in settings.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")
    return folder / "cgroup.procs"


def remove(group: str) -> None:
    """Of a group that has ended; what is not there is no error."""
    for root in (V1, V2):
        with contextlib.suppress(OSError):
            (root / group).rmdir()
