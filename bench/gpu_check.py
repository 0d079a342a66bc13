"""Builds hpmp for the GPU that is here, judges it by every test that runs on one, and times it.

    python bench/gpu_check.py [--minutes 9] [--out DIR] [--skip build tests digits times sanitizer]

Needs nvcc, a C++ compiler, cmake, ninja, Cython, oneDNN with its headers (the package
onednn-devel-cpu-gomp, or DNNL_ROOT), an MPI (the package mpich), and for cuDNN's convolutions the
packages nvidia-cudnn-cu13 and nvidia-cudnn-frontend. PyTorch is timed beside where it sees the GPU,
compute-sanitizer used where it is found. Prints one table; writes DIR/gpu_check.jsonl, one line per
step, with what each printed beside it. Exit code 1 where a step fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "native"
STEPS = ("build", "tests", "digits", "times", "sanitizer")
SANITIZED = (("racecheck", "test_kernels_scores"), ("memcheck", "test_engine"))
TOLERANCE = 1e-3  # of a loss after DIGITS_STEPS steps on the GPU, in fp32, against the CPU's
DIGITS_STEPS = 30
Row = dict[str, Any]


class Check:
    """The steps done so far, and the time that is left."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out
        self.rows: list[Row] = []
        self._deadline = time.monotonic() + 60 * options.minutes

    def seconds_left(self) -> float:
        return max(1.0, self._deadline - time.monotonic())

    def run(
        self, name: str, command: Sequence[str], *, limit: float = 600.0, **environment: str
    ) -> Row:
        """One program: its code, its seconds, the end of what it printed (all of it in a file)."""
        begin = time.monotonic()
        log = self.out / f"{name}.log"
        with log.open("w") as file:
            try:
                rc = subprocess.run(
                    command,
                    cwd=ROOT,
                    env={**os.environ, **environment},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=min(limit, self.seconds_left()),
                    check=False,
                ).returncode
            except (OSError, subprocess.TimeoutExpired) as error:
                file.write(f"\n{error}\n")
                rc = 124
        lines = log.read_text(errors="replace").strip().splitlines()
        row: Row = {"name": name, "rc": rc, "seconds": round(time.monotonic() - begin, 1)}
        row["last"] = lines[-1][:200] if lines else ""
        self.add(row)
        if rc != 0:
            print("\n".join(lines[-30:]), flush=True)
        return row

    def add(self, row: Row) -> None:
        self.rows.append(row)
        state = "ok" if row["rc"] == 0 else "FAILED"
        print(f"{row['name']}: {state}, {row['seconds']} s: {row['last']}", flush=True)


def package_folder(name: str) -> Path | None:
    """Where a package's files are, without importing it."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    places = list(found.submodule_search_locations or []) if found else []
    return Path(places[0]) if places else None


def header_folders() -> Iterator[Path]:
    """Folders of cudnn.h, cudnn_frontend.h and cuda_runtime.h that packages hold."""
    for name in ("nvidia.cudnn", "nvidia.cu13", "nvidia.cuda_runtime"):
        folder = package_folder(name)
        if folder:
            yield folder / "include"
    for place in sys.path:
        if (Path(place) / "include" / "cudnn_frontend.h").exists():
            yield Path(place) / "include"
    yield Path("/usr/local/cuda/include")


def native_folder() -> Path:
    """Where setup.py builds the native part."""
    return next((ROOT / "build").glob("temp.*/native"))


def build(check: Check) -> None:
    """The package in place, then the tests from the same objects."""
    folders = os.pathsep.join(str(p) for p in header_folders() if p.exists())
    made = check.run(
        "build", [sys.executable, "setup.py", "build_ext", "--inplace"], CMAKE_INCLUDE_PATH=folders
    )
    if made["rc"] == 0:
        native = str(native_folder())
        check.run("configure_tests", ["cmake", native, "-DHPMP_NATIVE_TESTS=ON"])
        check.run("build_tests", ["cmake", "--build", native, "--target", *programs(), "gpu_ops"])


def programs() -> list[str]:
    """The native tests that run on a GPU."""
    kinds = ("gpu", "kernels", "engine", "conv_plans")
    paths = (path for kind in kinds for path in TESTS.glob(f"test_{kind}*.cpp"))
    return sorted({path.stem for path in paths})


def tests(check: Check) -> None:
    """With cuDNN's convolutions and, where these are the subject, with the plain ones."""
    native = native_folder()
    jobs = [(name, "cudnn", {}) for name in programs()]
    jobs += [(name, "plain", {"HPMP_CUDNN": "none"}) for name in ("test_kernels_mixing",)]
    jobs += [("test_engine", "eager", {"HPMP_CUDA_GRAPHS": "0"})]

    def one(job: tuple[str, str, dict[str, str]]) -> None:
        name, kind, extra = job
        environment = {"HPMP_TEST_BACKEND": "cuda", **libraries(), **extra}
        check.run(f"{name}_{kind}", [str(native / name)], limit=120, **environment)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, jobs))


def libraries() -> dict[str, str]:
    """What the engine's variables are, asked of the package that sets them."""
    code = "import os; from pyhpmp import cuda_libraries; cuda_libraries.name_libraries();"
    code += "print(os.environ.get('HPMP_CUDNN', ''), os.environ.get('HPMP_NVRTC', ''), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = (done.stdout + "\n\n").split("\n")
    found = {"HPMP_CUDNN": names[0], "HPMP_NVRTC": names[1]}
    return {name: path for name, path in found.items() if path}


def digits(check: Check) -> None:
    """resnet20 on digits: on 1, 2 and 4 ranks that share the GPU, and on the CPU."""
    words = ["zoo:resnet20", "--data", "digits", "--batch", "96", "--lr", "0.01", "--json"]
    words += ["--steps", str(DIGITS_STEPS), "--plan-seconds", "2"]
    kinds = [("cpu_1", ["--device", "cpu"])]
    kinds += [(f"cuda_{n}", ["--device", "cuda", "-n", str(n)]) for n in (1, 2, 4)]
    losses: dict[str, float] = {}
    for kind, extra in kinds:
        saved = str(check.out / f"{kind}.onnx")
        command = [sys.executable, "-m", "pyhpmp.commands.run", *words, *extra, "--save", saved]
        row = check.run(f"digits_{kind}", command, limit=120)
        text = (check.out / f"digits_{kind}.log").read_text()
        begin = text.find("{")
        if row["rc"] == 0 and begin >= 0:
            losses[kind] = json.loads(text[begin:])["final_loss"]
            row["loss"] = losses[kind]
    for kind, loss in losses.items():
        far = abs(loss / losses.get("cpu_1", loss) - 1)
        last = f"loss {loss:.6f}, {far:.1e} from the CPU's"
        check.add({"name": f"loss_{kind}", "rc": int(far > TOLERANCE), "seconds": 0, "last": last})


def times(check: Check) -> None:
    """Networks beside PyTorch."""
    minutes = max(0.0, check.seconds_left() / 60 - 0.5)
    command = [sys.executable, "bench/gpu_times.py", "--minutes", f"{minutes:.2f}"]
    check.run("times", [*command, "--out", str(check.out / "gpu_times.jsonl")])
    print((check.out / "times.log").read_text(), flush=True)


def sanitizer(check: Check) -> None:
    """Races and stray accesses, as far as compute-sanitizer sees them."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(tool).exists():
        return print("sanitizer: skipped, no compute-sanitizer here")
    for kind, name in SANITIZED:
        command = [tool, "--tool", kind, "--error-exitcode", "9", str(native_folder() / name)]
        check.run(f"{kind}_{name}", command, limit=90, HPMP_TEST_BACKEND="cuda", HPMP_CUDNN="none")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="in all")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"))
    parser.add_argument("--skip", nargs="*", choices=STEPS, default=[])
    return parser.parse_args()


def main() -> int:
    """Every step is tried; the times take what is left of the minutes."""
    options = arguments()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    check = Check(options)
    work = {"build": build, "tests": tests, "digits": digits, "sanitizer": sanitizer}
    work |= {"times": times}
    for name, step in work.items():
        if name not in options.skip:
            step(check)
    with (options.out / "gpu_check.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in check.rows)
    failed = [str(row["name"]) for row in check.rows if row["rc"] != 0]
    print(f"{len(check.rows) - len(failed)} passed, {len(failed)} failed: {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
