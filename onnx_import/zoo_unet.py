"""U-Net: maps of classes as large as the image (Ronneberger et al. 2015)."""

from __future__ import annotations

import onnx

from onnx_import.zoo_net import HE_NORMAL_IN, TORCH_DEFAULT, Layer, Net

_WIDTHS = (64, 128, 256, 512, 1024)


def unet(net: Net, classes: int) -> onnx.ModelProto:
    """As published, but with padded convolutions and batch-norm, as it is used today."""
    net.whole_parts(len(_WIDTHS) - 1)
    x = net.input()
    kept: list[Layer] = []
    for level, width in enumerate(_WIDTHS):
        if level:
            x = net.pool(x, f"down{level}.pool", 2, stride=2)
        x = _double_conv(net, x, f"down{level}", width)
        kept.append(x)
    kept.pop()
    for level in reversed(range(len(_WIDTHS) - 1)):
        width = _WIDTHS[level]
        x = net.conv_transpose(x, f"up{level}.up", width, 2, init=TORCH_DEFAULT)
        x = net.concat([kept.pop(), x], f"up{level}.concat")
        x = _double_conv(net, x, f"up{level}", width)
    return net.finish(net.conv(x, "head", classes, 1, bias=True, init=TORCH_DEFAULT))


def _double_conv(net: Net, x: Layer, name: str, width: int) -> Layer:
    for part in (1, 2):
        x = net.conv(x, f"{name}.conv{part}", width, 3, pad=1, init=HE_NORMAL_IN)
        x = net.relu(net.batch_norm(x, f"{name}.bn{part}"))
    return x
