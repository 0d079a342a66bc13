"""Networks of depthwise convolutions: MobileNetV2."""

from __future__ import annotations

import onnx

from onnx_import.zoo_net import HE_NORMAL_OUT, Layer, Net, normal

#: Expansion, channels, blocks and first stride of each row of the paper's table 2.
_ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(net: Net, classes: int) -> onnx.ModelProto:
    """Sandler et al. 2018, width 1.0, as in torchvision."""
    x = _basic(net, net.input(), "features.0", 32, 3, stride=2)
    index = 1
    for expand, out, blocks, first_stride in _ROWS:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            x = _inverted_residual(net, x, f"features.{index}", out, expand, stride)
            index += 1
    x = _basic(net, x, f"features.{index}", 1280, 1)
    x = net.dropout(net.flatten(net.global_pool(x, "avgpool")), "classifier.0", 0.2)
    return net.finish(net.dense(x, "classifier.1", classes, init=normal(0.01)))


def _inverted_residual(net: Net, x: Layer, name: str, out: int, expand: int, stride: int) -> Layer:
    """1x1 to more channels, 3x3 on each of them alone, 1x1 to few without a ReLU."""
    hidden, part, y = x.c * expand, 0, x
    if expand > 1:
        y = _basic(net, y, f"{name}.conv.{part}", hidden, 1)
        part += 1
    y = _basic(net, y, f"{name}.conv.{part}", hidden, 3, stride=stride, groups=hidden)
    y = net.conv(y, f"{name}.conv.{part + 1}", out, 1, init=HE_NORMAL_OUT)
    y = net.batch_norm(y, f"{name}.conv.{part + 2}")
    return net.add(x, y, f"{name}.add") if stride == 1 and x.c == out else y


def _basic(
    net: Net, x: Layer, name: str, out: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> Layer:
    x = net.conv(
        x,
        f"{name}.0",
        out,
        kernel,
        stride=stride,
        pad=kernel // 2,
        groups=groups,
        init=HE_NORMAL_OUT,
    )
    return net.relu6(net.batch_norm(x, f"{name}.1"))
