"""Which launcher belongs to the MPI that mpi4py loads, and how to call it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyhpmp.launch.transport import mpi_libraries


class LaunchError(Exception):
    """The ranks could not be started."""

    exit_code = 1


@dataclass(frozen=True)
class Mpi:
    """An MPI library: its ABI family, what it says of itself, its file."""

    family: str
    version: str
    library: Path


# Asked in a process of its own: the supervisor must not become a rank.
_PROBE = """
import json, mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
print(json.dumps([MPI.Get_library_version(), open("/proc/self/maps").read()]))
"""


def family_of(text: str) -> str:
    """The family that a library version or a launcher's --version names."""
    names = {
        "mpich": ("mpich", "hydra", "mvapich"),
        "intel": ("intel(r) mpi",),
        "openmpi": ("open mpi", "openrte", "prrte", "open-mpi"),
    }
    lower = text.lower()
    for family in ("intel", "openmpi", "mpich"):
        if any(name in lower for name in names[family]):
            return family
    return "unknown"


def mpi_of_mpi4py() -> Mpi:
    """The MPI library that mpi4py loads. Raises LaunchError where it loads none."""
    probe = subprocess.run([sys.executable, "-P", "-c", _PROBE], capture_output=True, text=True)
    if probe.returncode != 0:
        reason = (probe.stderr.strip().splitlines() or ["no output"])[-1]
        raise LaunchError(
            f"cannot start ranks: mpi4py loads no MPI library ({reason}); install one "
            "(pip install mpich), or name yours with MPI4PY_LIBMPI"
        )
    version, maps = json.loads(probe.stdout)
    libraries = mpi_libraries(maps)
    if not libraries:
        raise LaunchError("cannot start ranks: the file of mpi4py's MPI library was not found")
    return Mpi(family_of(version), version, Path(libraries[0]))


def find_mpiexec(mpi: Mpi) -> Path:
    """HPMP_MPIEXEC, else the mpiexec of the library's prefix, else PATH's of the same family."""
    named = os.environ.get("HPMP_MPIEXEC")
    if named:
        found = shutil.which(named)
        if not found:
            raise LaunchError(f"HPMP_MPIEXEC={named} names no program; give the path of an mpiexec")
        return Path(found)
    candidates = [parent / "bin" / "mpiexec" for parent in mpi.library.parents]
    candidates += [Path(folder) / "mpiexec" for folder in os.get_exec_path()]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and _launcher_family(candidate) == mpi.family:
            return candidate
    raise LaunchError(
        f"cannot start ranks: no mpiexec of {mpi.family} beside {mpi.library} or on PATH; "
        "name it with HPMP_MPIEXEC, or start the ranks yourself: mpiexec -n K hpmp-run ..."
    )


def _launcher_family(mpiexec: Path) -> str:
    answer = subprocess.run(
        [str(mpiexec), "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return family_of(answer.stdout + answer.stderr)


def family_flags(family: str) -> list[str]:
    """More ranks than cores, bound to none, whatever the family's defaults are."""
    return ["--oversubscribe", "--bind-to", "none"] if family == "openmpi" else []


def package_environment() -> dict[str, str]:
    """Lets other processes import this very package, where it is not an installed one."""
    home = str(Path(__file__).resolve().parents[2])
    if home in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([home, *([others] if others else [])])}


def family_environment(family: str) -> dict[str, str]:
    if family == "openmpi":
        return {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {"I_MPI_PIN": "0"} if family == "intel" else {}


def launch_command(mpi: Mpi, argv: Sequence[str], ranks: int, module: str) -> list[str]:
    """The command that starts `ranks` processes of `python -m module *argv`."""
    mpiexec = str(find_mpiexec(mpi))
    python = [sys.executable, "-P", "-m", module, *argv]  # -P: never the package of the cwd
    return [mpiexec, "-n", str(ranks), *family_flags(mpi.family), *python]


def command_line(argv: Sequence[str], ranks: int, *, module: str = "pyhpmp.commands.run") -> str:
    """What `run` would execute, as a line for a shell (`--dry-run`)."""
    return shlex.join(launch_command(mpi_of_mpi4py(), argv, ranks, module))
