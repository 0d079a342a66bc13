"""Where CUDA's libraries are that the native engine opens by name; nothing is imported for it.

The engine reads HPMP_CUDNN and HPMP_NVRTC; what the user has set stays.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

# variable, name for cuda.pathfinder, packages with their file, the variable of an installation
LIBRARIES = (
    ("HPMP_CUDNN", "cudnn", (("nvidia.cudnn", "lib/libcudnn.so.9"),), "CUDNN_PATH"),
    (
        "HPMP_NVRTC",
        "nvrtc",
        (
            ("nvidia.cu13", "lib/libnvrtc.so.13"),
            ("nvidia.cuda_nvrtc", "lib/libnvrtc.so.12"),
        ),
        "CUDA_HOME",
    ),
)


def name_libraries() -> None:
    """Sets the variables of those libraries that are found; the others go by their plain names."""
    for variable, name, packages, home in LIBRARIES:
        if not os.environ.get(variable):
            found = _by_pathfinder(name) or _in_packages(packages) or _in_home(home, packages)
            if found:
                os.environ[variable] = found


def _by_pathfinder(name: str) -> str | None:
    """By the loader that CuPy itself uses; it knows cudnn from its version 1.7 on."""
    try:
        from cuda import pathfinder
    except ImportError:
        return None
    try:
        path = pathfinder.load_nvidia_dynamic_lib(name).abs_path
    except Exception:  # its own errors, and those of older versions that do not know the name
        return None
    return str(path) if path else None


def _in_packages(packages: tuple[tuple[str, str], ...]) -> str | None:
    for package, file in packages:
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        for place in spec.submodule_search_locations or [] if spec else []:
            if (Path(place) / file).exists():
                return str(Path(place) / file)
    return None


def _in_home(home: str, packages: tuple[tuple[str, str], ...]) -> str | None:
    """In an installation that the user names."""
    root = os.environ.get(home)
    for _, file in packages if root else ():
        for folder in ("lib", "lib64"):
            path = Path(str(root)) / folder / Path(file).name
            if path.exists():
                return str(path)
    return None
