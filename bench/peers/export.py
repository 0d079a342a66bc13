"""Writes a network of the comparison as ONNX, for peers that read files; says what it is.

python -m peers.export JOB FILE
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from peers.job import Job, Unavailable


def exported(job: Job, path: Path) -> dict[str, Any]:
    """Exports in a process of its own, so that the caller's memory is not PyTorch's."""
    command = [sys.executable, "-P", "-m", "peers.export", job.text(), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise Unavailable(f"the export to ONNX failed: {lines[-1] if lines else 'no reason given'}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def main() -> None:
    import torch

    from peers import torch_step

    job, path = Job.parse(sys.argv[1]), sys.argv[2]
    module = torch_step.network(job).eval()
    images, _ = torch_step.random_batch(job, job.batch, 1)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (images,), path, dynamo=False, input_names=["images"])
    print(json.dumps(torch_step.facts(job)))


if __name__ == "__main__":
    main()
