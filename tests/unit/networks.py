"""Graph texts of well-known networks, written by hand: planning tests need no model files."""

from __future__ import annotations


def window(kernel: int, stride: int, pad: int) -> str:
    return f"kernel={kernel},{kernel} strides={stride},{stride} pads={pad},{pad},{pad},{pad}"


class GraphWriter:
    """Appends nodes to a graph text; every method returns the name of the value it makes."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.lines = ["hpmp-graph 1", f"input x {channels} {height} {width}"]
        self.channels = {"x": channels}
        self.count = 0

    def node(self, op: str, inputs: list[str], params: list[str], attrs: str = "") -> str:
        self.count += 1
        name = f"{op.lower()}{self.count}"
        text = f"node {op} {name} : {' '.join(inputs)} : {' '.join(params)} : {name} {attrs}"
        self.lines.append(text.rstrip())
        self.channels[name] = self.channels[inputs[0]]
        return name

    def param(self, kind: str, role: str, *dims: int) -> str:
        name = f"p{self.count}.{kind}"
        self.lines.append(f"param {name} {role} {' '.join(map(str, dims))}")
        return name

    def conv(
        self,
        x: str,
        out: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        params = [self.param("w", "weight", out, self.channels[x] // groups, kernel, kernel)]
        if bias:
            params.append(self.param("b", "bias", out))
        attrs = window(kernel, stride, pad)
        name = self.node("Conv", [x], params, f"{attrs} groups={groups}")
        self.channels[name] = out
        return name

    def batch_norm(self, x: str) -> str:
        roles = ("scale", "shift", "running_mean", "running_var")
        params = [self.param(f"bn_{role}", role, self.channels[x]) for role in roles]
        return self.node("BatchNormalization", [x], params)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], [])

    def conv_bn(self, x: str, out: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        y = self.conv(x, out, kernel, stride, kernel // 2, groups, bias=False)
        return self.batch_norm(y)

    def pool(self, x: str, kind: str, kernel: int, stride: int, pad: int = 0) -> str:
        return self.node(kind, [x], [], window(kernel, stride, pad))

    def concat(self, values: list[str]) -> str:
        name = self.node("Concat", values, [])
        self.channels[name] = sum(self.channels[v] for v in values)
        return name

    def dense(self, x: str, inputs: int, out: int) -> str:
        params = [self.param("w", "weight", out, inputs), self.param("b", "bias", out)]
        name = self.node("Dense", [x], params)
        self.channels[name] = out
        return name

    def text(self, output: str) -> str:
        return "\n".join([*self.lines, f"output {output}"]) + "\n"


def alexnet(classes: int = 1000) -> str:
    g = GraphWriter(3, 224, 224)
    x = g.pool(g.relu(g.conv("x", 64, 11, 4, 2)), "MaxPool", 3, 2)
    x = g.pool(g.relu(g.conv(x, 192, 5, 1, 2)), "MaxPool", 3, 2)
    for width in (384, 256, 256):
        x = g.relu(g.conv(x, width, 3, 1, 1))
    x = g.node("Flatten", [g.pool(x, "MaxPool", 3, 2)], [])
    x = g.relu(g.dense(g.node("Dropout", [x], []), 256 * 36, 4096))
    x = g.relu(g.dense(g.node("Dropout", [x], []), 4096, 4096))
    return g.text(g.dense(x, 4096, classes))


def vgg16(image: int = 224, classes: int = 1000) -> str:
    """At 224 pixels the torchvision network; below, one hidden layer of 512 features."""
    g = GraphWriter(3, image, image)
    x = "x"
    for depth, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(depth):
            x = g.relu(g.conv(x, width, 3, 1, 1))
        x = g.pool(x, "MaxPool", 2, 2)
    x = g.node("Flatten", [x], [])
    side = image // 32
    hidden = (4096, 4096) if image == 224 else (512,)
    features = 512 * side * side
    for width in hidden:
        x = g.node("Dropout", [g.relu(g.dense(x, features, width))], [])
        features = width
    return g.text(g.dense(x, features, classes))


def resnet(depths: tuple[int, int, int, int], classes: int = 1000) -> str:
    """A bottleneck residual network: (3, 4, 6, 3) is ResNet-50, (3, 8, 36, 3) ResNet-152."""
    g = GraphWriter(3, 224, 224)
    x = g.pool(g.relu(g.conv_bn("x", 64, 7, 2)), "MaxPool", 3, 2, 1)
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for block in range(depth):
            stride = 2 if block == 0 and stage > 0 else 1
            y = g.relu(g.conv_bn(x, width, 1))
            y = g.relu(g.conv_bn(y, width, 3, stride))
            y = g.conv_bn(y, 4 * width, 1)
            shortcut = g.conv_bn(x, 4 * width, 1, stride) if block == 0 else x
            x = g.relu(g.node("Add", [y, shortcut], []))
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], [])], [])
    return g.text(g.dense(x, 2048, classes))


def mobilenet_v2(classes: int = 1000) -> str:
    g = GraphWriter(3, 224, 224)
    x = g.relu(g.conv_bn("x", 32, 3, 2))
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for expand, width, repeats, stride in rows:
        for i in range(repeats):
            hidden, shortcut, step = g.channels[x] * expand, x, stride if i == 0 else 1
            y = g.relu(g.conv_bn(x, hidden, 1)) if expand > 1 else x
            y = g.relu(g.conv_bn(y, hidden, 3, step, hidden))
            y = g.conv_bn(y, width, 1)
            x = g.node("Add", [y, shortcut], []) if i > 0 else y
    x = g.relu(g.conv_bn(x, 1280, 1))
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], [])], [])
    return g.text(g.dense(g.node("Dropout", [x], []), 1280, classes))


def densenet121(classes: int = 1000) -> str:
    g = GraphWriter(3, 224, 224)
    x = g.pool(g.relu(g.conv_bn("x", 64, 7, 2)), "MaxPool", 3, 2, 1)
    for stage, depth in enumerate((6, 12, 24, 16)):
        parts = [x]
        for _ in range(depth):
            y = g.relu(g.batch_norm(g.concat(parts) if len(parts) > 1 else parts[0]))
            y = g.relu(g.batch_norm(g.conv(y, 128, 1, bias=False)))
            parts.append(g.conv(y, 32, 3, 1, 1, bias=False))
        x = g.relu(g.batch_norm(g.concat(parts)))
        if stage < 3:
            x = g.pool(g.conv(x, g.channels[x] // 2, 1, bias=False), "AveragePool", 2, 2)
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], [])], [])
    return g.text(g.dense(x, 1024, classes))


NETWORKS = {
    "alexnet": alexnet(),
    "vgg16": vgg16(),
    "vgg16_32": vgg16(32, 10),
    "resnet50": resnet((3, 4, 6, 3)),
    "resnet152": resnet((3, 8, 36, 3)),
    "mobilenet_v2": mobilenet_v2(),
    "densenet121": densenet121(),
}
