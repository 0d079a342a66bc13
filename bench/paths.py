"""Where programs that a benchmark starts find the benchmarks' own modules."""

from __future__ import annotations

import os
from pathlib import Path


def python_path() -> str:
    """PYTHONPATH with this folder first; pyhpmp is the one that the caller imports."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
