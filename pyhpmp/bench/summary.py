"""How samples are summed up, and what is said of the machine that gave them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyhpmp


def summary(samples: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, float]:
    """Median and deciles, in the unit of the samples, and how many there were."""
    p10, median, p90 = np.percentile(np.asarray(samples, np.float64), [10, 50, 90])
    return {"median": float(median), "p10": float(p10), "p90": float(p90), "samples": len(samples)}


def median(samples: Sequence[float] | npt.NDArray[np.float64]) -> float:
    return float(np.median(np.asarray(samples, np.float64)))


def undisturbed(samples: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """The lower quartile: what other work on the machine makes slower does not reach it."""
    return float(np.percentile(np.asarray(samples, np.float64), 25))


def machine_facts(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, system and build: what a figure is quoted beside."""
    return {
        "device": device,
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "hpmp": pyhpmp.__version__,
    }


def cpu_name() -> str:
    """As /proc/cpuinfo has it."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
