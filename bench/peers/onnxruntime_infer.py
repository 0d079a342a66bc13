"""onnxruntime inference with all graph optimisations, on a file that PyTorch exported."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from peers import serving
from peers.export import exported
from peers.job import Job, Unavailable


def build(job: Job) -> serving.Work:
    if job.dtype != "fp32":
        raise Unavailable(f"onnxruntime has no {job.dtype} convolutions on this processor")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        facts = exported(job, path)
        session, version = _session(path, job.threads)
    images = _images(job)
    facts["versions"]["onnxruntime"] = version
    return serving.Work(lambda: float(session.run(None, {"images": images})[0][0, 0]), facts)


def _session(path: Path, threads: int) -> tuple[Any, str]:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.force_spinning_stop", "1")  # after a run, not in it
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return session, onnxruntime.__version__


def _images(job: Job) -> Any:
    import numpy as np

    shape = (job.batch, 3, job.image, job.image)
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


if __name__ == "__main__":
    serving.main(build)
