"""How a test starts the programs of ranks.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
SUPERVISE = """
import sys
from pyhpmp import launch
sys.exit(launch.run(sys.argv[2:], int(sys.argv[1]), module="ranks", debug="--debug" in sys.argv))
"""

StartRanks = Callable[..., "subprocess.Popen[str]"]
RunRanks = Callable[..., "subprocess.CompletedProcess[str]"]


def outside_environment() -> dict[str, str]:
    """The environment with ranks.py importable; never that of an MPI launch around pytest."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PMI")}
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environ | {"PYTHONPATH": os.pathsep.join(paths)}


def hpmp_run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs the command in a folder, and waits for its end."""
    return subprocess.run(
        [sys.executable, "-m", "pyhpmp.commands.run", *map(str, words)],
        cwd=folder,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
