"""torchvision models exported to ONNX in the four forms that PyTorch's exporters write."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


def build(name: str, *, classes: int = 10, fresh: bool = False, seed: int = 0) -> torch.nn.Module:
    """A torchvision classifier with no auxiliary heads, in evaluation mode.

    Args:
        name: as torchvision calls it.
        classes: outputs.
        fresh: keep the initial weights, many of which are equal; otherwise biases, batch-norm
            parameters and statistics are random, so that no two can be mistaken.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    extra: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        extra = {"aux_logits": False, "init_weights": False}
    model: torch.nn.Module = models().get_model(name, weights=None, num_classes=classes, **extra)
    if not fresh:
        randomise(model)
    return model.eval()


def randomise(model: torch.nn.Module) -> None:
    """Gives normalisations and biases values of which no two are equal, in place."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(getattr(module, "bias", None), torch.nn.Parameter):
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)


def with_narrow_classifier(model: torch.nn.Module, width: int = 32) -> torch.nn.Module:
    """The same network with `width` hidden features: the wide ones make files of 500 MB."""
    layers = model.classifier
    linear = [i for i, layer in enumerate(layers) if isinstance(layer, torch.nn.Linear)]
    sizes = [layers[linear[0]].in_features, width, width, layers[linear[-1]].out_features]
    for index, size, out in zip(linear, sizes, sizes[1:], strict=False):
        layers[index] = torch.nn.Linear(size, out)
    return model


def export(model: torch.nn.Module, form: str, path: Path, *, image: int, batch: int = 2) -> Path:
    """Writes `model` to `path` in one of FORMS, with a dynamic batch; leaves it in eval mode."""
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
    model.eval()
    return path
