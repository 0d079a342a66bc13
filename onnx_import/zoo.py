"""Built-in networks with random weights, as ONNX models in training form."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import onnx

from onnx_import import zoo_concat, zoo_mobile, zoo_plain, zoo_resnet, zoo_unet
from onnx_import.errors import ModelError
from onnx_import.zoo_net import Net

_LARGEST_IMAGE = 4096
_MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Entry:
    """A network's constructor and what it is built for unless asked otherwise."""

    construct: Callable[[Net, int], onnx.ModelProto]
    image: int = 224
    classes: int = 1000
    channels: int = 3


def _entries() -> dict[str, Entry]:
    entries = {
        "lenet5": Entry(zoo_plain.lenet5, image=32, classes=10, channels=1),
        "alexnet": Entry(zoo_plain.alexnet),
        "squeezenet": Entry(zoo_concat.squeezenet),
        "googlenet": Entry(zoo_concat.googlenet),
        "densenet121": Entry(zoo_concat.densenet121),
        "mobilenet_v2": Entry(zoo_mobile.mobilenet_v2),
        "unet": Entry(zoo_unet.unet, image=256, classes=21),
    }
    for depth in (20, 56):
        entries[f"resnet{depth}"] = Entry(_small_resnet(depth), image=32, classes=10)
    for depth in zoo_resnet.RESNETS:
        entries[f"resnet{depth}"] = Entry(_resnet(depth))
    for depth in (11, 13, 16, 19):
        entries[f"vgg{depth}"] = Entry(_vgg(depth, False))
        entries[f"vgg{depth}_bn"] = Entry(_vgg(depth, True))
    return entries


def _resnet(depth: int) -> Callable[[Net, int], onnx.ModelProto]:
    return lambda net, classes: zoo_resnet.resnet(net, classes, depth)


def _small_resnet(depth: int) -> Callable[[Net, int], onnx.ModelProto]:
    return lambda net, classes: zoo_resnet.small_resnet(net, classes, depth)


def _vgg(depth: int, batch_norm: bool) -> Callable[[Net, int], onnx.ModelProto]:
    return lambda net, classes: zoo_plain.vgg(net, classes, depth, batch_norm)


_ENTRIES = _entries()
#: Networks with a variant for 32x32 images, which has 10 classes unless asked otherwise.
_WITH_SMALL_VARIANT = ("alexnet", "vgg")


def names() -> list[str]:
    """The names that `build` knows."""
    return sorted(_ENTRIES)


def build(
    name: str,
    *,
    classes: int | None = None,
    image: int | None = None,
    channels: int | None = None,
    seed: int = 0,
) -> onnx.ModelProto:
    """Builds a network with random weights, initialised as its authors or torchvision do.

    Args:
        name: one of `names()`.
        classes: outputs; 1000, or 10 for the networks made for 32x32 images, or 21 for unet.
        image: height and width of the input; 224, or 32 for lenet5, resnet20 and resnet56, or 256
            for unet. alexnet and the vgg networks have a variant for 32.
        channels: of the input; 3, or 1 for lenet5.
        seed: equal seeds give equal weights.

    Returns:
        A model in IR 10, opset 21, whose input `images` is (N, channels, image, image) and whose
        output `logits` is (N, classes), of unet (N, classes, image, image). Where torchvision has
        the network, the parameters have the names of its state_dict.

    Errors: `ModelError` for an unknown name or a size that the network cannot take.
    """
    entry = _ENTRIES.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, _ENTRIES, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ModelError(f"unknown network 'zoo:{name}'; {hint}known are {', '.join(names())}")
    image = entry.image if image is None else image
    channels = entry.channels if channels is None else channels
    small = image == zoo_plain.SMALL_IMAGE and name.startswith(_WITH_SMALL_VARIANT)
    if classes is None:
        classes = 10 if small else entry.classes
    _check(name, "image", image, _LARGEST_IMAGE)
    _check(name, "classes", classes, _MOST_CLASSES)
    _check(name, "channels", channels, _LARGEST_IMAGE)
    return entry.construct(Net(name, channels, image, seed), classes)


def _check(name: str, what: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ModelError(f"cannot build zoo:{name}: {what} {value} must be from 1 to {most}")
