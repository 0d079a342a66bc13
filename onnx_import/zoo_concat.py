"""Networks whose branches are concatenated: SqueezeNet, GoogLeNet and DenseNet-121."""

from __future__ import annotations

import onnx

from onnx_import.zoo_net import HE_NORMAL_IN, HE_UNIFORM, TORCH_DEFAULT, Layer, Net, normal

#: SqueezeNet 1.1: index in `features` to (squeeze, expand).
_FIRES = {
    3: (16, 64),
    4: (16, 64),
    6: (32, 128),
    7: (32, 128),
    9: (48, 192),
    10: (48, 192),
    11: (64, 256),
    12: (64, 256),
}

#: GoogLeNet: 1x1; 1x1 then 3x3; 1x1 then 3x3; pool then 1x1.
_INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def squeezenet(net: Net, classes: int) -> onnx.ModelProto:
    """Iandola et al. 2016, version 1.1 as in torchvision."""
    x = net.conv(net.input(), "features.0", 64, 3, stride=2, bias=True, init=HE_UNIFORM)
    x = net.pool(net.relu(x), "features.2", 3, stride=2, ceil_mode=True)
    for index, (squeeze, expand) in _FIRES.items():
        x = _fire(net, x, f"features.{index}", squeeze, expand)
        if index in (4, 7):
            x = net.pool(x, f"features.{index + 1}", 3, stride=2, ceil_mode=True)
    x = net.dropout(x, "classifier.0", 0.5)
    x = net.conv(x, "classifier.1", classes, 1, bias=True, init=normal(0.01))
    return net.finish(net.flatten(net.global_pool(net.relu(x), "classifier.3")))


def _fire(net: Net, x: Layer, name: str, squeeze: int, expand: int) -> Layer:
    x = net.relu(net.conv(x, f"{name}.squeeze", squeeze, 1, bias=True, init=HE_UNIFORM))
    one = net.conv(x, f"{name}.expand1x1", expand, 1, bias=True, init=HE_UNIFORM)
    three = net.conv(x, f"{name}.expand3x3", expand, 3, pad=1, bias=True, init=HE_UNIFORM)
    return net.concat([net.relu(one), net.relu(three)], f"{name}.concat")


def googlenet(net: Net, classes: int) -> onnx.ModelProto:
    """Szegedy et al. 2015 with batch-norm and no auxiliary heads, as in torchvision."""
    x = _basic(net, net.input(), "conv1", 64, 7, stride=2)
    x = net.pool(x, "maxpool1", 3, stride=2, ceil_mode=True)
    x = _basic(net, _basic(net, x, "conv2", 64, 1), "conv3", 192, 3)
    x = net.pool(x, "maxpool2", 3, stride=2, ceil_mode=True)
    for name, widths in _INCEPTIONS.items():
        x = _inception(net, x, f"inception{name}", widths)
        if name in ("3b", "4e"):
            kernel = 3 if name == "3b" else 2
            x = net.pool(x, f"maxpool{name[0]}", kernel, stride=2, ceil_mode=True)
    x = net.dropout(net.flatten(net.global_pool(x, "avgpool")), "dropout", 0.2)
    return net.finish(net.dense(x, "fc", classes, init=normal(0.01)))


def _basic(net: Net, x: Layer, name: str, out: int, kernel: int, *, stride: int = 1) -> Layer:
    conv = f"{name}.conv"
    x = net.conv(x, conv, out, kernel, stride=stride, pad=kernel // 2, init=normal(0.01))
    return net.relu(net.batch_norm(x, f"{name}.bn", epsilon=1e-3))


def _inception(net: Net, x: Layer, name: str, widths: tuple[int, int, int, int, int, int]) -> Layer:
    one, reduce_a, three_a, reduce_b, three_b, pooled = widths
    branch1 = _basic(net, x, f"{name}.branch1", one, 1)
    branch2 = _basic(net, x, f"{name}.branch2.0", reduce_a, 1)
    branch2 = _basic(net, branch2, f"{name}.branch2.1", three_a, 3)
    branch3 = _basic(net, x, f"{name}.branch3.0", reduce_b, 1)
    branch3 = _basic(net, branch3, f"{name}.branch3.1", three_b, 3)
    branch4 = net.pool(x, f"{name}.branch4.0", 3, stride=1, pad=1, ceil_mode=True)
    branch4 = _basic(net, branch4, f"{name}.branch4.1", pooled, 1)
    return net.concat([branch1, branch2, branch3, branch4], f"{name}.concat")


def densenet121(net: Net, classes: int) -> onnx.ModelProto:
    """Huang et al. 2017, growth 32, as in torchvision."""
    init = HE_NORMAL_IN
    x = net.conv(net.input(), "features.conv0", 64, 7, stride=2, pad=3, init=init)
    x = net.relu(net.batch_norm(x, "features.norm0"))
    x = net.pool(x, "features.pool0", 3, stride=2, pad=1)
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        parts = [x]
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            x = net.concat(parts, f"{name}.concat") if len(parts) > 1 else x
            y = net.relu(net.batch_norm(x, f"{name}.norm1"))
            y = net.conv(y, f"{name}.conv1", 128, 1, init=init)
            y = net.relu(net.batch_norm(y, f"{name}.norm2"))
            parts.append(net.conv(y, f"{name}.conv2", 32, 3, pad=1, init=init))
        x = net.concat(parts, f"features.denseblock{block}.concat")
        if block < 4:
            x = net.relu(net.batch_norm(x, f"features.transition{block}.norm"))
            x = net.conv(x, f"features.transition{block}.conv", x.c // 2, 1, init=init)
            pool = f"features.transition{block}.pool"
            x = net.pool(x, pool, 2, stride=2, op="AveragePool")
    x = net.relu(net.batch_norm(x, "features.norm5"))
    x = net.flatten(net.global_pool(x, "avgpool"))
    return net.finish(net.dense(x, "classifier", classes, init=TORCH_DEFAULT))
