"""CUDA's libraries are found where packages put them, and what the user named stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyhpmp import cuda_libraries


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_libraries, "_by_pathfinder", lambda name: None)
    for name in ("HPMP_CUDNN", "HPMP_NVRTC", "CUDNN_PATH", "CUDA_HOME"):
        monkeypatch.setenv(name, "")


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_a_package_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = made(tmp_path / "nvidia/cudnn/lib/libcudnn.so.9")
    monkeypatch.syspath_prepend(str(tmp_path))
    cuda_libraries.name_libraries()
    assert os.environ["HPMP_CUDNN"] == str(library)


def test_an_installation_that_a_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = made(tmp_path / "lib64/libcudnn.so.9")
    monkeypatch.setattr(cuda_libraries, "_in_packages", lambda packages: None)
    monkeypatch.setenv("CUDNN_PATH", str(tmp_path))
    cuda_libraries.name_libraries()
    assert os.environ["HPMP_CUDNN"] == str(library)


def test_what_the_user_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "nvidia/cudnn/lib/libcudnn.so.9")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HPMP_CUDNN", "/opt/mine/libcudnn.so.9")
    cuda_libraries.name_libraries()
    assert os.environ["HPMP_CUDNN"] == "/opt/mine/libcudnn.so.9"


def test_where_nothing_is_found_the_plain_names_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_libraries, "_in_packages", lambda packages: None)
    cuda_libraries.name_libraries()
    assert os.environ["HPMP_CUDNN"] == os.environ["HPMP_NVRTC"] == ""
