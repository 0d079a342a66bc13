"""Whether this processor can run the native core, asked before the core is loaded."""

from __future__ import annotations

import platform
from pathlib import Path

# What the compiler may use in every file: -march=x86-64-v3, in the words of /proc/cpuinfo.
REQUIRED = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})


def missing_features(cpuinfo: str) -> list[str]:
    """The required instruction sets that the first processor of `cpuinfo` lacks."""
    for line in cpuinfo.splitlines():
        name, _, words = line.partition(":")
        if name.strip() == "flags":
            return sorted(REQUIRED - set(words.split()))
    return []


def require_cpu() -> None:
    """Raises ImportError, naming what is missing, instead of an illegal instruction later."""
    if platform.machine() != "x86_64":
        return
    missing = missing_features(Path("/proc/cpuinfo").read_text())
    if missing:
        raise ImportError(
            f"this processor lacks {', '.join(missing)}, which hpmp's core was compiled for; use a "
            "machine of 2013 or later, or build with CMake's -DHPMP_MARCH=x86-64"
        )
