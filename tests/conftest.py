"""Makes the helpers beside this file and the benchmarks importable, and bounds torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
# Programs that tests start import the package under test, not an unbuilt one of their folder.
os.environ.setdefault("PYTHONSAFEPATH", "1")
# Test machines are shared; more threads would not make small cases faster.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Plans that do not depend on what else a machine does while it is measured.
os.environ.setdefault("HPMP_PROFILE", "none")


@pytest.fixture(scope="session")
def export_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models exported by one test are kept for the others."""
    return tmp_path_factory.mktemp("exports")
