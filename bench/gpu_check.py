"""Builds the GPU backend for the GPU that is here, judges it by every kernel test, and times it.

    python bench/gpu_check.py [--graph NETWORK.txt ...] [--batch 64 256] [--out DIR]

Needs nvcc, cmake, ninja, oneDNN (DNNL_ROOT), the headers and the library of cuDNN 9 (the package
nvidia-cudnn-cu13) and cudnn-frontend's headers (HPMP_CUDNN_FRONTEND_INCLUDE, or its package). A
network's text is what `str(pyhpmp.load(...).text())` gives. Writes one JSON line per program to
DIR/gpu_check.jsonl, with what each printed beside it; exit code 1 where a test fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "native"


def main() -> int:
    """Configure, build, test with and without cuDNN, time; every step is tried."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    build = options.out / "build"
    if not configure(build) or not compile_all(build, options.jobs):
        return 1
    results = test_all(build, options.out) + time_all(build, options)
    with (options.out / "gpu_check.jsonl").open("w") as file:
        file.writelines(json.dumps(result) + "\n" for result in results)
    failed = [str(result["name"]) for result in results if result["rc"] != 0]
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed: {' '.join(failed)}")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--graph", type=Path, nargs="*", default=[])
    parser.add_argument("--batch", type=int, nargs="*", default=[64])
    parser.add_argument("--out", type=Path, default=Path("gpu-check"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def package_folder(name: str) -> Path | None:
    """Where a package's files are, without importing it."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    places = list(found.submodule_search_locations or []) if found else []
    return Path(places[0]) if places else None


def includes() -> dict[str, str]:
    """The folders of headers for CMake; what the environment names comes first."""
    cudnn = package_folder("nvidia.cudnn")
    frontend = package_folder("cudnn")
    runtimes = [p for p in (package_folder("nvidia.cu13"), Path("/usr/local/cuda")) if p]
    found = {
        "HPMP_CUDNN_INCLUDE": cudnn / "include" if cudnn else None,
        "HPMP_CUDNN_FRONTEND_INCLUDE": frontend.parent / "include" if frontend else None,
        "HPMP_CUDA_INCLUDE": next(
            (p / "include" for p in runtimes if (p / "include" / "cuda_runtime.h").exists()), None
        ),
    }
    named = {key: os.environ.get(key) or (str(path) if path else "") for key, path in found.items()}
    return {key: path for key, path in named.items() if path}


def run(name: str, command: list[str], out: Path | None, **environment: str) -> dict[str, object]:
    """One program: its code, its seconds, and what it printed (also in `out`)."""
    begin = time.monotonic()
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode != 0:
        print(done.stdout[-4000:], flush=True)
    if out:
        (out / f"{name}.log").write_text(done.stdout)
    lines = done.stdout.strip().splitlines()
    return {
        "name": name,
        "rc": done.returncode,
        "seconds": round(time.monotonic() - begin, 2),
        "last": lines[-1] if lines else "",
    }


def configure(build: Path) -> bool:
    """CMake with nvcc and cuDNN required."""
    folders = [f"-D{key}={value}" for key, value in includes().items()]
    command = ["cmake", "-S", str(ROOT / "native"), "-B", str(build), "-G", "Ninja"]
    command += ["-DCMAKE_BUILD_TYPE=Release", "-DHPMP_CUDA=ON", "-DHPMP_NATIVE_TESTS=ON", *folders]
    return run("configure", command, build.parent)["rc"] == 0


def programs() -> list[str]:
    """The tests that run on a GPU."""
    return ["test_gpu", *sorted(path.stem for path in TESTS.glob("test_kernels_*.cpp"))]


def compile_all(build: Path, jobs: int) -> bool:
    """The tests and the bench."""
    command = ["cmake", "--build", str(build), "-j", str(jobs), "--target", *programs(), "gpu_ops"]
    return run("build", command, build.parent)["rc"] == 0


def cudnn_library() -> str:
    """The library for HPMP_CUDNN; by its plain name where no package has it."""
    folder = package_folder("nvidia.cudnn")
    path = folder / "lib" / "libcudnn.so.9" if folder else None
    return str(path) if path and path.exists() else "libcudnn.so.9"


def test_all(build: Path, out: Path) -> list[dict[str, object]]:
    """Every kernel test on the GPU, with cuDNN's convolutions and with the plain ones."""
    results = []
    for kind, library in (("cudnn", cudnn_library()), ("plain", "none")):
        for name in programs() if kind == "cudnn" else ["test_kernels_mixing"]:
            command = [str(build / name)]
            environment = {"HPMP_TEST_BACKEND": "cuda", "HPMP_CUDNN": library}
            results.append(run(f"{name}_{kind}", command, out, **environment))
    return results


def time_all(build: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """Every network at every batch in every precision."""
    return [
        run(
            f"{graph.stem}_{batch}_{numerics}",
            [str(build / "gpu_ops"), str(graph), str(batch), numerics],
            options.out,
            HPMP_CUDNN=cudnn_library(),
        )
        for graph in options.graph
        for batch in options.batch
        for numerics in ("fp32", "tf32", "bf16")
    ]


if __name__ == "__main__":
    sys.exit(main())
