"""The networks of the comparison in PyTorch: the layers, and parameter names, of torchvision.

torchvision itself is not asked for: its builds only load beside the very same build of torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
# Expansion, channels, blocks and first stride of each row of MobileNetV2's table 2.
MOBILE = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
SMALL_IMAGE = 32


class Network(nn.Module):
    """Named parts one after another, flattened where the first dense layer begins."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        for name, part in self.named_children():
            x = torch.flatten(x, 1) if name in ("classifier", "fc") else x
            x = part(x)
        return x

    def layers(self) -> list[nn.Module]:
        """The same network as a list that can be cut anywhere."""
        flat: list[nn.Module] = []
        for name, part in self.named_children():
            flat += [nn.Flatten()] if name in ("classifier", "fc") else []
            flat += list(part) if isinstance(part, nn.Sequential) else [part]
        return flat


class Residual(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3 and 1x1, beside a shortcut."""

    def __init__(self, c_in: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        plan = [(3, width, stride), (3, width, 1)]
        if bottleneck:
            plan = [(1, width, 1), (3, width, stride), (1, 4 * width, 1)]
        c, self.depth = c_in, len(plan)
        for i, (kernel, out, by) in enumerate(plan, start=1):
            conv = nn.Conv2d(c, out, kernel, by, kernel // 2, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(out))
            c = out
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or c_in != c:
            conv = nn.Conv2d(c_in, c, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(c))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            y = nn.functional.relu(y, inplace=True) if i < self.depth else y
        shortcut: Tensor = self.downsample(x)
        return nn.functional.relu(y + shortcut, inplace=True)


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 on each of them alone, 1x1 to few."""

    def __init__(self, c_in: int, out: int, expand: int, stride: int) -> None:
        super().__init__()
        hidden = c_in * expand
        parts: list[nn.Module] = [_basic(c_in, hidden, 1)] if expand > 1 else []
        parts += [
            _basic(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*parts)
        self.shortcut = stride == 1 and c_in == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.shortcut else y


def _basic(c_in: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))


def alexnet() -> Network:
    convs = (
        (64, 11, 4, 2, True),
        (192, 5, 1, 2, True),
        (384, 3, 1, 1, False),
        (256, 3, 1, 1, False),
        (256, 3, 1, 1, True),
    )
    features: list[nn.Module] = []
    c = 3
    for out, kernel, stride, pad, pooled in convs:
        features += [nn.Conv2d(c, out, kernel, stride, pad), nn.ReLU(inplace=True)]
        features += [nn.MaxPool2d(3, 2)] if pooled else []
        c = out
    dense = [nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(inplace=True)]
    dense += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 1000)]
    return Network(
        features=nn.Sequential(*features),
        avgpool=nn.AdaptiveAvgPool2d(6),
        classifier=nn.Sequential(*dense),
    )


def vgg16(small: bool) -> Network:
    features: list[nn.Module] = []
    c = 3
    for out, count in VGG16:
        for _ in range(count):
            features += [nn.Conv2d(c, out, 3, padding=1), nn.ReLU(inplace=True)]
            c = out
        features.append(nn.MaxPool2d(2, 2))
    width, classes = (512, 10) if small else (4096, 1000)
    dense = [nn.Linear(512 if small else 512 * 49, width), nn.ReLU(inplace=True), nn.Dropout()]
    dense += [nn.Linear(width, width), nn.ReLU(inplace=True), nn.Dropout()]
    dense.append(nn.Linear(width, classes))
    parts: dict[str, nn.Module] = {"features": nn.Sequential(*features)}
    if not small:
        parts["avgpool"] = nn.AdaptiveAvgPool2d(7)
    return Network(**parts, classifier=nn.Sequential(*dense))


def resnet(
    blocks: tuple[int, ...], widths: tuple[int, ...], bottleneck: bool, image: int
) -> Network:
    small = widths[0] == 16
    stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    c = widths[0]
    parts: dict[str, nn.Module] = {"conv1": stem, "bn1": nn.BatchNorm2d(c)}
    parts["relu"] = nn.ReLU(inplace=True)
    if not small:
        parts["maxpool"] = nn.MaxPool2d(3, 2, 1)
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        chain = []
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            chain.append(Residual(c, width, stride, bottleneck))
            c = 4 * width if bottleneck else width
        parts[f"layer{stage}"] = nn.Sequential(*chain)
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    return Network(**parts, fc=nn.Linear(c, 10 if image == SMALL_IMAGE else 1000))


def mobilenet_v2() -> Network:
    features: list[nn.Module] = [_basic(3, 32, 3, 2)]
    c = 32
    for expand, out, blocks, first in MOBILE:
        for block in range(blocks):
            features.append(InvertedResidual(c, out, expand, first if block == 0 else 1))
            c = out
    features.append(_basic(c, 1280, 1))
    return Network(
        features=nn.Sequential(*features),
        avgpool=nn.AdaptiveAvgPool2d(1),
        classifier=nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000)),
    )


def build(name: str, image: int, seed: int = 0) -> Network:
    """The network `name` for square images of side `image`, with torch's initial weights."""
    wide = (64, 128, 256, 512)
    networks = {
        "alexnet": alexnet,
        "vgg16": lambda: vgg16(image == SMALL_IMAGE),
        "resnet18": lambda: resnet((2, 2, 2, 2), wide, False, image),
        "resnet50": lambda: resnet((3, 4, 6, 3), wide, True, image),
        "resnet20": lambda: resnet((3, 3, 3), (16, 32, 64), False, image),
        "mobilenet_v2": mobilenet_v2,
    }
    torch.manual_seed(seed)
    return networks[name]()


def forward_flops(name: str, image: int) -> int:
    """Floating-point operations of convolutions and dense layers for one image."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build(name, image).eval()(torch.empty(1, 3, image, image))
    return int(counter.get_total_flops())
