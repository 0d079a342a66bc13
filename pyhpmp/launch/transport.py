"""The MPI transport table of the core, and the check that both sides use one and the same MPI."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

LIBRARY = Path(__file__).resolve().parent.parent / "libhpmp_mpi.so"
_LIBMPI = re.compile(r"/lib(mpi|mpich|mpi_abi|mpi_cray|mpich_[a-z]+)\.so[^/]*$")


class MpiMismatchError(Exception):
    """mpi4py and the core are bound to different MPI libraries."""

    exit_code = 1


def mpi_libraries(maps: str) -> list[str]:
    """Files of MPI libraries in a process's memory map, each once."""
    paths = (line.split(maxsplit=5)[-1] for line in maps.splitlines())
    files = {os.path.realpath(path): path for path in paths if _LIBMPI.search(path)}
    return list(files.values())


def mapped_mpi_libraries() -> list[str]:
    return mpi_libraries(Path("/proc/self/maps").read_text())


def _load() -> ctypes.CDLL:
    from mpi4py import MPI  # first: its libmpi then also serves our library

    theirs = ", ".join(mapped_mpi_libraries()) or "none"
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise MpiMismatchError(
            f"cannot load {LIBRARY} ({error}) beside mpi4py's MPI {theirs}; " + _cures(theirs)
        ) from error
    for name in ("library_version", "library_path", "built_family", "built_with"):
        getattr(library, f"hpmp_mpi_{name}").restype = ctypes.c_char_p
    _check(library, theirs, MPI.Is_initialized())
    return library


def _check(library: ctypes.CDLL, theirs: str, initialized: bool) -> None:
    """Raises MpiMismatchError unless exactly one MPI, of the family built for, is in use."""
    from pyhpmp.launch.mpiexec import family_of

    ours = library.hpmp_mpi_library_path().decode()
    mapped = mapped_mpi_libraries()
    if len(mapped) != 1:
        raise MpiMismatchError(
            f"two MPI libraries are loaded: mpi4py uses {theirs}, hpmp's core uses {ours}; "
            + _cures(theirs, ours)
        )
    built = library.hpmp_mpi_built_family().decode()
    running = family_of(library.hpmp_mpi_library_version().decode())
    if built != {"intel": "mpich"}.get(running, running):
        raise MpiMismatchError(
            f"hpmp's core was built for the {built} family (with "
            f"{library.hpmp_mpi_built_with().decode()}) but {ours} is {running}; " + _cures(theirs)
        )
    if initialized and not library.hpmp_mpi_initialized():
        raise MpiMismatchError(
            f"mpi4py has initialised its MPI ({theirs}) but the one of hpmp's core ({ours}) "
            "is not; " + _cures(theirs, ours)
        )


def _cures(theirs: str, ours: str = "/path/to/libmpi.so") -> str:
    return (
        f"rebuild hpmp for mpi4py's ({theirs}): MPICC=/path/to/its/mpicc pip install "
        f"--force-reinstall --no-deps . ; or point mpi4py at the core's: MPI4PY_LIBMPI={ours}"
    )


class Transport:
    """The transport table of one communicator; `address` is what the core takes.

    Keep it alive for as long as the core uses the address.
    """

    def __init__(self, comm: Intracomm) -> None:
        self._comm = comm
        self._library = _load()
        self._table = ctypes.create_string_buffer(self._library.hpmp_mpi_table_bytes())
        code = self._library.hpmp_mpi_table(ctypes.c_int(comm.toint()), self._table)
        if code != 0:
            raise MpiMismatchError(
                f"the core's MPI refuses mpi4py's communicator (code {code}); "
                + _cures(", ".join(mapped_mpi_libraries()))
            )

    @property
    def address(self) -> int:
        return ctypes.addressof(self._table)


def describe_mpi() -> str:
    """One line for `--version`: the MPI in use and what the core was built with."""
    library = _load()
    version = library.hpmp_mpi_library_version().decode().split("\n")[0]
    path = library.hpmp_mpi_library_path().decode()
    built = library.hpmp_mpi_built_with().decode()
    return f"{' '.join(version.split())} ({path}), built with {built}"
