"""The rooms depend on each other in one direction, and things are where they belong."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"

# What each room may include, beside itself.
BELOW_PLAN = ("base", "graph", "hypergraph", "partition")
ROOMS: dict[str, tuple[str, ...]] = {
    "base": (),
    "graph": ("base",),
    "hypergraph": ("base", "graph"),
    "partition": ("base", "graph", "hypergraph"),
    "plan": BELOW_PLAN,
    "planner": (*BELOW_PLAN, "plan"),
    "comm": ("base", "include"),
    "engine": (*BELOW_PLAN, "plan", "comm"),
    "capi": (*BELOW_PLAN, "plan", "planner", "comm", "engine", "include"),
    "include": (),
}
ONEDNN = ROOT / "native/engine/cpu/direct"  # the plumbing that its primitives share
# Headers of the C++ library have no suffix; these are C's and the compiler's.
OTHER_STANDARD_HEADERS = {"stdint.h", "stddef.h", "immintrin.h", "omp.h", "time.h"}
# Libraries that only some rooms may know, by the first words of their headers.
LIBRARIES = {
    "oneapi/dnnl": "engine",
    "dnnl": "engine",
    "cudnn": "engine",
    "mpi.h": "comm",
    "omp.h": "engine",
}

TOP_LEVEL = {
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "CONTRIBUTING.md",
    "native",
    "pyhpmp",
    "onnx_import",
    "tests",
    "bench",
}
# Packages that one part alone imports; everything else asks that part.
IMPORTERS = {
    "onnx": ("onnx_import/", "pyhpmp/onnx_backend.py"),
    "mpi4py": ("pyhpmp/launch/", "pyhpmp/world.py"),
    "kahypar": ("pyhpmp/partitioners/",),
    "mtkahypar": ("pyhpmp/partitioners/",),
    "cupy": ("pyhpmp/cupy_memory.py",),
    "cuda": ("pyhpmp/cuda_libraries.py",),
    "pyhpmp": ("pyhpmp/",),
}


def native_includes() -> Iterator[tuple[Path, str]]:
    for path in sorted(NATIVE.rglob("*")):
        if path.suffix in (".h", ".cpp", ".cu"):
            for name in re.findall(r'^#include ([<"].+[>"])', path.read_text(), re.MULTILINE):
                yield path, name


def room_of(path: Path) -> str:
    return path.relative_to(NATIVE).parts[0]


def test_no_include_points_to_a_higher_room() -> None:
    wrong = []
    for path, name in native_includes():
        if name.startswith("<"):
            continue
        room, target = room_of(path), name.strip('"').split("/")[0]
        beside = (path.parent / name.strip('"')).exists()
        if target not in (room, *ROOMS[room]) and not beside:
            wrong.append(f"{path.relative_to(ROOT)} includes {name}")
    assert wrong == []


def test_our_headers_but_onednns_include_only_the_standard_library() -> None:
    foreign = [
        f"{path.relative_to(ROOT)} includes {name}"
        for path, name in native_includes()
        if path.suffix == ".h"
        and name.startswith("<")
        and "." in name
        and name.strip("<>") not in OTHER_STANDARD_HEADERS
        and not (name == "<dnnl.hpp>" and ONEDNN in path.parents)
    ]
    assert foreign == []


def test_a_library_is_known_in_its_room_only() -> None:
    wrong = []
    for path, name in native_includes():
        for library, room in LIBRARIES.items():
            if name.strip('<>"').startswith(library) and room_of(path) != room:
                wrong.append(f"{path.relative_to(ROOT)} includes {name}")
    assert wrong == []


def test_cudnn_is_known_in_one_file_and_cuda_in_none() -> None:
    knowing = {
        str(path.relative_to(NATIVE))
        for path, name in native_includes()
        if name.strip('<>"').startswith(("cudnn", "cuda"))
    }
    assert knowing == {"engine/cuda/conv_plans.cpp"}


def test_every_room_is_one_we_know() -> None:
    assert {path.name for path in NATIVE.iterdir() if path.is_dir()} <= set(ROOMS)


def python_imports() -> Iterator[tuple[str, str]]:
    """(file, imported module), imports inside functions included."""
    for package in ("pyhpmp", "onnx_import"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((str(path.relative_to(ROOT)), alias.name) for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield str(path.relative_to(ROOT)), node.module or ""


@pytest.mark.parametrize("package", sorted(IMPORTERS))
def test_a_package_is_imported_in_its_place_only(package: str) -> None:
    wrong = [
        f"{file} imports {module}"
        for file, module in python_imports()
        if module.split(".")[0] == package and not file.startswith(IMPORTERS[package])
    ]
    assert wrong == []


def test_the_launch_knows_nothing_of_training() -> None:
    wrong = [
        f"{file} imports {module}"
        for file, module in python_imports()
        if file.startswith("pyhpmp/launch/")
        and module.startswith("pyhpmp")
        and not module.startswith("pyhpmp.launch")
    ]
    assert wrong == []


def test_only_commands_import_commands() -> None:
    wrong = [
        file
        for file, module in python_imports()
        if module.startswith("pyhpmp.commands") and not file.startswith("pyhpmp/commands/")
    ]
    assert wrong == []


def test_the_top_level_holds_what_is_agreed_and_dot_files() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode != 0:
        pytest.skip("not a git checkout, so built files cannot be told from the project's")
    names = {line.split("/")[0] for line in listing.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL
