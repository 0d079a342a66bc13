"""torchvision models exported to ONNX in the four forms that PyTorch's exporters write."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import torch

FORMS = ("legacy_train", "legacy_eval", "dynamo", "dynamo_raw")


@contextlib.contextmanager
def _skipped_fake_kernels() -> Iterator[None]:
    """torchvision registers fakes for its CUDA kernels, which a CPU build of torch lacks."""
    original = torch.library.register_fake

    def register(name: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda kernel: kernel
        return original(name, *args, **kwargs)

    torch.library.register_fake = register
    try:
        yield
    finally:
        torch.library.register_fake = original


def models() -> Any:
    """The module `torchvision.models`, importable beside a CPU build of torch."""
    with _skipped_fake_kernels(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision import models as module
    return module


def build(name: str, *, classes: int = 10, seed: int = 0) -> torch.nn.Module:
    """A torchvision classifier with fresh weights and no auxiliary heads."""
    torch.manual_seed(seed)
    extra = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if extra:
        extra["init_weights"] = False
    return models().get_model(name, weights=None, num_classes=classes, **extra)


def export(model: torch.nn.Module, form: str, path: Path, *, image: int, batch: int = 2) -> Path:
    """Writes `model` to `path` in one of FORMS, with a dynamic batch where the form can."""
    sample = torch.randn(batch, 3, image, image)
    train = form == "legacy_train"
    model.train(train)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if form.startswith("legacy"):
            mode = torch.onnx.TrainingMode
            torch.onnx.export(
                model,
                (sample,),
                str(path),
                dynamo=False,
                training=mode.TRAINING if train else mode.EVAL,
                do_constant_folding=not train,
                input_names=["images"],
                output_names=["logits"],
                dynamic_axes={"images": {0: "N"}, "logits": {0: "N"}},
            )
        else:
            torch.onnx.export(
                model,
                (sample,),
                str(path),
                dynamo=True,
                optimize=form == "dynamo",
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                verbose=False,
            )
    return path


def export_bytes_once(name: str, form: str, folder: Path, *, image: int) -> Path:
    """`export` of `build(name)`, kept in `folder` for the other tests of the session."""
    path = folder / f"{name}-{form}-{image}.onnx"
    if not path.exists():
        export(build(name), form, path, image=image)
        onnx.load(path, load_external_data=False)
    return path
