"""Networks without branches: LeNet-5, AlexNet and the VGG family."""

from __future__ import annotations

import onnx

from onnx_import.zoo_net import HE_NORMAL_OUT, TORCH_DEFAULT, Layer, Net, normal

_VGG: dict[int, list[list[int]]] = {
    11: [[64], [128], [256] * 2, [512] * 2, [512] * 2],
    13: [[64] * 2, [128] * 2, [256] * 2, [512] * 2, [512] * 2],
    16: [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3],
    19: [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4],
}
#: At this image size the classifiers made for large images do not fit.
SMALL_IMAGE = 32


def lenet5(net: Net, classes: int) -> onnx.ModelProto:
    """LeCun et al. 1998, with ReLU and max pooling; 28x28 images are padded to 32x32."""
    x = net.input()
    pad = 0 if x.h == SMALL_IMAGE else 2
    for index, (out, padding) in enumerate(((6, pad), (16, 0)), start=1):
        x = net.conv(
            x,
            f"conv{index}",
            out,
            5,
            pad=padding,
            bias=True,
            init=TORCH_DEFAULT,
        )
        x = net.pool(net.relu(x), f"pool{index}", 2, stride=2)
    x = net.flatten(x)
    for index, out in enumerate((120, 84), start=1):
        x = net.relu(_torch_dense(net, x, f"fc{index}", out))
    return net.finish(_torch_dense(net, x, "fc3", classes))


def _torch_dense(net: Net, x: Layer, name: str, out: int) -> Layer:
    return net.dense(x, name, out, init=TORCH_DEFAULT)


def alexnet(net: Net, classes: int) -> onnx.ModelProto:
    """Krizhevsky 2014 as in torchvision; at 32x32 the usual variant with small strides."""
    x = net.input()
    small = x.h == SMALL_IMAGE
    first = (64, 3, 2, 1) if small else (64, 11, 4, 2)
    second = (192, 3, 1, 1) if small else (192, 5, 1, 2)
    convs = {0: first, 3: second, 6: (384, 3, 1, 1), 8: (256, 3, 1, 1), 10: (256, 3, 1, 1)}
    for index, (out, kernel, stride, pad) in convs.items():
        x = net.conv(
            x,
            f"features.{index}",
            out,
            kernel,
            stride=stride,
            pad=pad,
            bias=True,
            init=TORCH_DEFAULT,
        )
        x = net.relu(x)
        if index in (0, 3, 10):
            x = net.pool(x, f"features.{index + 2}", 2 if small else 3, stride=2)
    if not small:
        x = net.adaptive_pool(x, "avgpool", 6, "224, or 32 for the small variant")
    x = net.flatten(x)
    for index in (1, 4):
        x = net.dropout(x, f"classifier.{index - 1}", 0.5)
        x = net.relu(_torch_dense(net, x, f"classifier.{index}", 4096))
    return net.finish(_torch_dense(net, x, "classifier.6", classes))


def vgg(net: Net, classes: int, depth: int, batch_norm: bool) -> onnx.ModelProto:
    """Simonyan and Zisserman 2015; at 32x32 with a classifier of width 512."""
    x = net.input()
    small = x.h == SMALL_IMAGE
    index = 0
    for stage in _VGG[depth]:
        for out in stage:
            x = net.conv(x, f"features.{index}", out, 3, pad=1, bias=True, init=HE_NORMAL_OUT)
            if batch_norm:
                index += 1
                x = net.batch_norm(x, f"features.{index}")
            x = net.relu(x)
            index += 2
        x = net.pool(x, f"features.{index}", 2, stride=2)
        index += 1
    if not small:
        x = net.adaptive_pool(x, "avgpool", 7, "a multiple of 224, or 32 for the small variant")
    x = net.flatten(x)
    width = 512 if small else 4096
    for index in (0, 3):
        x = net.relu(net.dense(x, f"classifier.{index}", width, init=normal(0.01)))
        x = net.dropout(x, f"classifier.{index + 2}", 0.5)
    return net.finish(net.dense(x, "classifier.6", classes, init=normal(0.01)))
