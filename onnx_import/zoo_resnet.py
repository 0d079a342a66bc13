"""Residual networks: ResNet for large images, and the three-stage form for 32x32."""

from __future__ import annotations

import onnx

from onnx_import.zoo_net import HE_NORMAL_OUT, TORCH_DEFAULT, Layer, Net

#: Blocks per stage, and whether they are bottlenecks.
RESNETS: dict[int, tuple[list[int], bool]] = {
    18: ([2, 2, 2, 2], False),
    34: ([3, 4, 6, 3], False),
    50: ([3, 4, 6, 3], True),
    101: ([3, 4, 23, 3], True),
    152: ([3, 8, 36, 3], True),
}


def resnet(net: Net, classes: int, depth: int) -> onnx.ModelProto:
    """He et al. 2016 with the stride in the 3x3 convolution, as in torchvision."""
    blocks, bottleneck = RESNETS[depth]
    x = net.conv(net.input(), "conv1", 64, 7, stride=2, pad=3, init=HE_NORMAL_OUT)
    x = net.relu(net.batch_norm(x, "bn1"))
    x = net.pool(x, "maxpool", 3, stride=2, pad=1)
    return _stages(net, x, [64, 128, 256, 512], blocks, bottleneck, classes)


def small_resnet(net: Net, classes: int, depth: int) -> onnx.ModelProto:
    """He et al. 2016, section 4.2: depth 6n + 2 for 32x32 images, projection shortcuts."""
    x = net.conv(net.input(), "conv1", 16, 3, pad=1, init=HE_NORMAL_OUT)
    x = net.relu(net.batch_norm(x, "bn1"))
    return _stages(net, x, [16, 32, 64], [(depth - 2) // 6] * 3, False, classes)


def _stages(
    net: Net, x: Layer, widths: list[int], blocks: list[int], bottleneck: bool, classes: int
) -> onnx.ModelProto:
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _block(net, x, f"layer{stage}.{block}", width, stride, bottleneck)
    x = net.flatten(net.global_pool(x, "avgpool"))
    return net.finish(net.dense(x, "fc", classes, init=TORCH_DEFAULT))


def _block(net: Net, x: Layer, name: str, width: int, stride: int, bottleneck: bool) -> Layer:
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1; then the shortcut is added."""
    kernels = [(1, width, 1), (3, width, stride), (1, 4 * width, 1)]
    if not bottleneck:
        kernels = [(3, width, stride), (3, width, 1)]
    y = x
    for index, (kernel, out, by) in enumerate(kernels, start=1):
        y = net.relu(y) if index > 1 else y
        conv = f"{name}.conv{index}"
        y = net.conv(y, conv, out, kernel, stride=by, pad=kernel // 2, init=HE_NORMAL_OUT)
        y = net.batch_norm(y, f"{name}.bn{index}")
    if stride != 1 or x.c != y.c:
        x = net.conv(x, f"{name}.downsample.0", y.c, 1, stride=stride, init=HE_NORMAL_OUT)
        x = net.batch_norm(x, f"{name}.downsample.1")
    return net.relu(net.add(y, x, f"{name}.add"))
