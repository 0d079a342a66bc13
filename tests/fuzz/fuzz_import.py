"""Feeds mutated models to the importer and the planner; only a user's mistakes may come out.

    python tests/fuzz/fuzz_import.py --seconds 60            # what CI does
    python tests/fuzz/fuzz_import.py --seconds 3600          # on demand
    python tests/fuzz/fuzz_import.py --replay FOLDER/*       # inputs that failed

With `atheris` (pip install atheris) inputs that reach new lines of the importer are kept and
mutated further; without it they are mutated from the corpus alone. An input that fails, takes too
long or too much memory, or kills the process is kept in --crashes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports(include=["onnx_import"]):
        import onnx_import
else:
    import onnx_import

from corpus import corpus
from mutate import mutated

import pyhpmp
from pyhpmp.errors import USER_MISTAKE, HpmpError

STUCK_SECONDS = 120
BYTES_PER_INPUT = 2**30


class TooSlow(BaseException):
    """An input takes too long. No Exception: the code that is tried could take it for its own."""


class Target:
    """Loads and plans one input; raises for what must not happen."""

    def __init__(self, crashes: Path, input_seconds: float) -> None:
        self.input_seconds = input_seconds
        crashes.mkdir(parents=True, exist_ok=True)
        self.crashes = crashes
        memory = Path("/dev/shm")  # an fsync there is free
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        signal.signal(signal.SIGALRM, too_slow)
        signal.signal(signal.SIGPROF, too_slow)
        self.current = self.folder / "current.onnx"
        print(f"the input that is being tried: {self.current}", flush=True)
        self.count = self.imported = self.planned = 0

    def __call__(self, data: bytes) -> None:
        self.count += 1
        # In a file before it is tried: it survives the death of this process.
        self.current.write_bytes(data)
        signal.setitimer(signal.ITIMER_PROF, self.input_seconds)
        signal.alarm(STUCK_SECONDS)
        try:
            self._try()
        except HpmpError as error:
            if error.exit_code != USER_MISTAKE:
                raise
            if not str(error).isprintable():
                raise AssertionError("a message that is not one printable line") from error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)

    def _try(self) -> None:
        graph = pyhpmp.load(self.current)
        self.imported += 1
        assert graph.template is not None
        onnx_import.export(graph.template, graph.params, self.current.with_suffix(".out"))
        for training in (False, True):
            pyhpmp.plan(graph, ranks=2, batch=4, training=training, seconds=0)
            self.planned += 1

    def keep(self, data: bytes, failure: str) -> Path:
        path = self.crashes / f"{failure}-{hashlib.sha256(data).hexdigest()[:12]}.onnx"
        path.write_bytes(data)
        return path

    def close(self) -> None:
        shutil.rmtree(self.folder)


def limit_memory() -> None:
    """To what the process has now and what an input may take; sanitizers reserve all there is."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES_PER_INPUT
    if limit < 2**40:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def too_slow(number: int, frame: object) -> None:
    what = "work" if number == signal.SIGPROF else f"waiting, {STUCK_SECONDS} s"
    raise TooSlow(f"too much {what}")


def run_plain(target: Target, seeds: list[bytes], seconds: float, seed: int) -> int:
    """Mutates the corpus until time is up; returns how many inputs failed, once per place."""
    end, places = time.monotonic() + seconds, set()
    for data in seeds:
        _tried(target, data, places)
    while time.monotonic() < end:
        seed += 1
        data = seeds[seed % len(seeds)]
        _tried(target, mutated(data, seeds, seed), places)
    return len(places)


def _tried(target: Target, data: bytes, places: set[str]) -> None:
    try:
        target(data)
    except (Exception, TooSlow) as error:
        place = _place(error)
        if place not in places:
            places.add(place)
            name = type(error).__name__
            print(f"{name} in {place}: {error}: {target.keep(data, name)}")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def run_guided(target: Target, seeds: list[bytes], seconds: float, seed: int) -> None:
    """libFuzzer's loop; it ends the process. A failing input is then in --crashes."""
    folder = target.folder / "corpus"
    folder.mkdir()
    for index, data in enumerate(seeds):
        (folder / f"seed-{index}").write_bytes(data)
    options = [f"-max_total_time={int(seconds)}", f"-seed={seed + 1}", "-max_len=65536"]
    options += [f"-artifact_prefix={target.crashes}/", "-rss_limit_mb=3000", "-print_final_stats=1"]
    options += [f"-timeout={2 * STUCK_SECONDS}", "-verbosity=0"]

    def mutator(data: bytes, largest: int, at: int) -> bytes:
        return mutated(data, seeds, at)[:largest]

    atheris.Setup([sys.argv[0], *options, str(folder)], target, custom_mutator=mutator)
    atheris.Fuzz()


def in_a_child(target: Target, seconds: float, seed: int) -> int:
    """`run_guided` in a fork: libFuzzer ends its process without cleaning up.

    What was tried last is kept here where the fork fails: nothing is written by one that is killed.
    """
    pid = os.fork()
    if pid == 0:
        try:
            run_guided(target, corpus(), seconds, seed)
        except BaseException:  # of the mutator; leaving by it would hang in libFuzzer's own exit
            traceback.print_exc()
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code and target.current.exists():
        print(f"tried last: {target.keep(target.current.read_bytes(), 'last')}")
    target.close()
    return 1 if code else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crashes", type=Path, default=Path("build/fuzz-crashes"))
    parser.add_argument(
        "--input-seconds", type=float, default=5, help="of the processor; more under sanitizers"
    )
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    target = Target(arguments.crashes, arguments.input_seconds)
    if arguments.replay:
        for path in arguments.replay:
            target(path.read_bytes())
        target.close()
        return 0
    if atheris is not None and not arguments.plain:
        return in_a_child(target, arguments.seconds, arguments.seed)
    limit_memory()
    failed = run_plain(target, corpus(), arguments.seconds, arguments.seed)
    print(f"{target.count} inputs, {target.imported} imported, {target.planned} planned")
    target.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
