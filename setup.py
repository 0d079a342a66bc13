"""Builds the native core (CMake and Ninja), the MPI table and the Cython module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
NATIVE = ROOT / "native"
sys.path.insert(0, str(NATIVE))

import build_backend as choices  # noqa: E402

DEPENDENCIES = [
    "numpy>=1.26",
    "onnx>=1.21",
    "mpi4py>=4.0",
    "kahypar>=1.3.5",
    "rich>=13",
    "safetensors>=0.4",
]


class NativeBuild(build_ext):
    """Puts libhpmp.so, libhpmp_mpi.so and _core side by side into the package."""

    def run(self) -> None:
        inside = self.inplace or self.editable_mode
        package = (ROOT if inside else Path(self.build_lib).resolve()) / "pyhpmp"
        build = Path(self.build_temp).resolve() / "native"
        where = ["-S", str(NATIVE), "-B", str(build), "-G", "Ninja"]
        # What an earlier build found may have been in a temporary environment: forget it.
        self._cmake([*where, "-UDNNL_*", "-UHPMP_*", *self._options(inside, build)])
        self._cmake(["--build", str(build)])
        self._cmake(["--install", str(build), "--prefix", str(package)])
        for extension in self.extensions:
            extension.library_dirs.append(str(package))
        super().run()

    def get_outputs(self) -> list[str]:
        if self.inplace:
            return super().get_outputs()
        package = Path(self.build_lib) / "pyhpmp"
        return super().get_outputs() + [str(path) for path in package.glob("libhpmp*.so")]

    def _options(self, inside: bool, build: Path) -> list[str]:
        options = [
            f"-DCMAKE_BUILD_TYPE={'Debug' if self.debug else 'Release'}",
            f"-DHPMP_RPATH={self._rpath(inside)}",
            f"-DCMAKE_MAKE_PROGRAM={self._tool('ninja')}",
        ]
        root = choices.onednn_root()
        if root:
            options.append(f"-DDNNL_ROOT={self._stable_name(root, build.with_name('dnnl'))}")
        wrapper = choices.mpi_wrapper()
        if not wrapper:
            raise SystemExit(
                "no MPI compiler found; install the mpich wheel, or set MPICC to an mpicc"
            )
        options += [f"-DHPMP_MPI_WRAPPER={wrapper}"]
        wheel = choices.mpi_requirement(wrapper)
        if wheel:
            options += ["-DHPMP_MPI_FROM_WHEEL=ON", f"-DHPMP_MPI_NAME=the {wheel} wheel"]
        return options

    @staticmethod
    def _stable_name(root: Path, link: Path) -> Path:
        """The same name for a prefix that is another temporary one in every build: so a second
        build compiles only what has changed."""
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(root)
        return link

    def _rpath(self, inside: bool) -> str:
        """Wheels install their libraries in the environment's lib, three folders up."""
        paths = ["$ORIGIN/../../.."]
        if inside:
            paths.append(str(Path(sys.prefix) / "lib"))
        if os.environ.get("DNNL_ROOT"):
            paths.append(str(Path(os.environ["DNNL_ROOT"]) / "lib"))
        return ";".join(paths)

    def _cmake(self, arguments: list[str]) -> None:
        subprocess.run([self._tool("cmake"), *arguments], check=True)

    @staticmethod
    def _tool(name: str) -> str:
        found = shutil.which(name, path=choices.search_path())
        if not found:
            raise SystemExit(f"{name} not found; install it: pip install {name}")
        return found


class SourceArchive(sdist):
    """Adds the native sources and the tests, which no Python package holds."""

    def make_distribution(self) -> None:
        for folder in ("native", "pyhpmp", "tests", "bench"):
            paths = (ROOT / folder).rglob("*")
            kept = (p for p in paths if p.is_file() and p.suffix not in (".so", ".pyc"))
            self.filelist.extend(str(path.relative_to(ROOT)) for path in kept)
        self.filelist.append("CONTRIBUTING.md")
        self.filelist.remove_duplicates()
        super().make_distribution()


def dependencies() -> list[str]:
    wrapper = choices.mpi_wrapper()
    mpi = choices.mpi_requirement(wrapper) if wrapper else "mpich"
    onednn = [] if os.environ.get("DNNL_ROOT") else [f"onednn-cpu-gomp=={choices.ONEDNN}"]
    return DEPENDENCIES + onednn + ([mpi] if mpi else [])


def extensions() -> list[Any]:
    try:
        from Cython.Build import cythonize
    except ImportError:  # metadata alone is asked for (sdist, egg_info)
        return []
    core = Extension(
        "pyhpmp._core",
        ["pyhpmp/_core.pyx"],
        include_dirs=["native/include"],
        depends=["native/include/hpmp.h"],
        libraries=["hpmp"],
        runtime_library_dirs=["$ORIGIN"],
    )
    return list(cythonize([core], language_level=3, build_dir="build/cython"))


setup(
    install_requires=dependencies(),
    ext_modules=extensions(),
    cmdclass={"build_ext": NativeBuild, "sdist": SourceArchive},
)
