"""Every family of torchvision's convolutional classifiers, as its smallest and shallowest member.

The classes are torchvision's own, with one block where the published networks have many: the same
operators in the same places, in files that export in seconds. Weights are random, no two equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torchvision_models

CLASSES = 10


@dataclass(frozen=True)
class Miniature:
    """build: of the network for CLASSES classes; image: the smallest side that it takes."""

    build: Callable[[], torch.nn.Module]
    image: int = 64


def _part(module: str) -> Any:
    return getattr(torchvision_models.models(), module)


def _alexnet() -> torch.nn.Module:
    return torchvision_models.with_narrow_classifier(_part("alexnet")(num_classes=CLASSES))


def _vgg(batch_norm: bool) -> torch.nn.Module:
    vgg = _part("vgg")
    layout = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"]
    network = vgg.VGG(vgg.make_layers(layout, batch_norm), num_classes=CLASSES, init_weights=False)
    network.classifier[0] = torch.nn.Linear(64 * 49, 4096)
    return torchvision_models.with_narrow_classifier(network)


def _resnet(block: str, **options: int) -> torch.nn.Module:
    resnet = _part("resnet")
    return resnet.ResNet(getattr(resnet, block), [1, 1, 1, 1], num_classes=CLASSES, **options)


def _densenet() -> torch.nn.Module:
    return _part("densenet").DenseNet(16, (2, 2, 2, 2), 16, num_classes=CLASSES)


def _of_zoo(name: str, **options: Any) -> torch.nn.Module:
    return torchvision_models.models().get_model(name, weights=None, num_classes=CLASSES, **options)


def _mobilenet_v2() -> torch.nn.Module:
    setting = [[1, 8, 1, 1], [6, 16, 2, 2], [6, 24, 2, 2]]
    return _part("mobilenetv2").MobileNetV2(CLASSES, inverted_residual_setting=setting)


def _mobilenet_v3() -> torch.nn.Module:
    module = _part("mobilenetv3")
    config = partial(module.InvertedResidualConfig, dilation=1, width_mult=1.0)
    setting = [
        config(16, 3, 16, 16, use_se=True, activation="RE", stride=2),
        config(16, 5, 48, 24, use_se=False, activation="HS", stride=2),
        config(24, 5, 48, 24, use_se=True, activation="HS", stride=1),
    ]
    return module.MobileNetV3(setting, 64, num_classes=CLASSES)


def _efficientnet(fused: bool) -> torch.nn.Module:
    module = _part("efficientnet")
    first = module.FusedMBConvConfig if fused else module.MBConvConfig
    second = module.MBConvConfig
    setting = [first(1, 3, 1, 16, 16, 1), first(4, 3, 2, 16, 24, 2), second(4, 5, 2, 24, 24, 2)]
    return module.EfficientNet(
        setting, dropout=0.2, stochastic_depth_prob=0.4, num_classes=CLASSES, last_channel=64
    )


def _regnet(se_ratio: float | None) -> torch.nn.Module:
    module = _part("regnet")
    params = module.BlockParams(
        depths=[1, 1, 2, 1],
        widths=[16, 24, 32, 64],
        group_widths=[8, 8, 8, 8],
        bottleneck_multipliers=[1.0] * 4,
        strides=[2] * 4,
        se_ratio=se_ratio,
    )
    return module.RegNet(params, num_classes=CLASSES)


def _convnext() -> torch.nn.Module:
    module = _part("convnext")
    setting = [
        module.CNBlockConfig(16, 32, 2),
        module.CNBlockConfig(32, 48, 1),
        module.CNBlockConfig(48, None, 2),
    ]
    network = module.ConvNeXt(setting, stochastic_depth_prob=0.4, num_classes=CLASSES)
    for part in network.modules():
        if isinstance(part, module.CNBlock):
            torch.nn.init.uniform_(part.layer_scale, 0.5, 1.5)
    return network


def _shufflenet() -> torch.nn.Module:
    return _part("shufflenetv2").ShuffleNetV2([2, 2, 1], [16, 24, 48, 96, 64], num_classes=CLASSES)


WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}
MINIATURES: dict[str, Miniature] = {
    "alexnet": Miniature(_alexnet, 224),
    "vgg": Miniature(lambda: _vgg(False), 224),
    "vgg_bn": Miniature(lambda: _vgg(True), 224),
    "resnet": Miniature(lambda: _resnet("BasicBlock")),
    "resnet bottleneck": Miniature(lambda: _resnet("Bottleneck")),
    "resnext": Miniature(lambda: _resnet("Bottleneck", groups=32, width_per_group=4)),
    "wide_resnet": Miniature(lambda: _resnet("Bottleneck", width_per_group=128)),
    "densenet": Miniature(_densenet),
    "squeezenet1_0": Miniature(lambda: _of_zoo("squeezenet1_0")),
    "squeezenet1_1": Miniature(lambda: _of_zoo("squeezenet1_1")),
    "googlenet": Miniature(lambda: _of_zoo("googlenet", **WITHOUT_HEADS)),
    "inception_v3": Miniature(lambda: _of_zoo("inception_v3", **WITHOUT_HEADS), 75),
    "mnasnet": Miniature(lambda: _part("mnasnet").MNASNet(0.25, CLASSES)),
    "mobilenet_v2": Miniature(_mobilenet_v2),
    "mobilenet_v3": Miniature(_mobilenet_v3),
    "efficientnet": Miniature(lambda: _efficientnet(False)),
    "efficientnet_v2": Miniature(lambda: _efficientnet(True)),
    "regnet_x": Miniature(lambda: _regnet(None)),
    "regnet_y": Miniature(lambda: _regnet(0.25)),
    "convnext": Miniature(_convnext),
    "shufflenet_v2": Miniature(_shufflenet),
}


def build(name: str, seed: int = 0) -> torch.nn.Module:
    """A miniature in evaluation mode, its weights and statistics random."""
    torch.manual_seed(seed)
    network = MINIATURES[name].build()
    torchvision_models.randomise(network)
    return network.eval()
