"""One table of every torchvision family, at its published depth, in every exporter's form.

    python tests/torchvision_table.py                          # all of it: an hour
    python tests/torchvision_table.py resnet18 googlenet+aux   # some of it

For each network and form: whether it imports, how far its outputs are off onnxruntime's, its
gradients off float64 autograd's, and four ranks' results off one rank's. Exits with 1 where one is
out of bounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision_models
from onnx_reference import run_onnx
from oracle_graph import OracleGraph
from torch_reference import Grads, Images, Labels, off_the_kink, without_dropout

import onnx_import
import pyhpmp
from pyhpmp import local

CLASSES, BATCH = 10, 8
OUTPUTS, GRADIENTS = 1e-4, 1e-3
ZERO = 1e-12  # of the largest gradient
#: Tried until rounding decides no kink and no tie of a max pool otherwise than in float64, neither
#: on one rank nor on four, which sum in another order.
SEEDS = range(1, 6)
AUX, AUX_WEIGHT = "+aux", 0.3
#: The smallest member of each family, and the smallest side that it and its exporters take.
MEMBERS = {
    "alexnet": 224,
    "vgg11": 224,
    "vgg11_bn": 224,
    "resnet18": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "wide_resnet50_2": 64,
    "densenet121": 64,
    "squeezenet1_0": 64,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "googlenet+aux": 256,
    "inception_v3": 75,
    "inception_v3+aux": 299,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "regnet_x_400mf": 64,
    "regnet_y_400mf": 64,
    "convnext_tiny": 64,
    "shufflenet_v2_x0_5": 64,
}
WIDE = ("alexnet", "vgg11", "vgg11_bn")


@dataclass
class Row:
    """Errors relative to the largest output, and to the norm of a parameter's gradient.

    Of one rank to the reference, and of four ranks to one.
    """

    outputs: float = np.nan
    gradients: float = np.nan
    outputs_of_four: float = np.nan
    gradients_of_four: float = np.nan
    seed: int = 0
    seconds: float = 0.0
    failure: str = ""

    @property
    def good(self) -> bool:
        within = max(self.outputs, self.outputs_of_four) <= OUTPUTS
        return (
            not self.failure and within and max(self.gradients, self.gradients_of_four) <= GRADIENTS
        )


class Heads(torch.nn.Module):
    """A network with auxiliary heads, whose outputs in training are a plain tuple."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> object:
        found = self.network(x)
        return tuple(o for o in found if o is not None) if isinstance(found, tuple) else found


def build(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    base = name.removesuffix(AUX)
    extra = {}
    if base in ("googlenet", "inception_v3"):
        extra = {"aux_logits": name.endswith(AUX), "init_weights": False}
    made = torchvision_models.models().get_model(base, weights=None, num_classes=CLASSES, **extra)
    if base in WIDE:
        torchvision_models.with_narrow_classifier(made)
    torchvision_models.randomise(made)
    network = without_dropout(off_the_kink(made))
    return Heads(network) if name.endswith(AUX) else network


def settle(network: torch.nn.Module, images: torch.Tensor) -> None:
    """Gives it running statistics that are those of the images: what is folded stays off the kinks.

    Leaves the network in evaluation mode.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


def batch(name: str, seed: int) -> tuple[Images, Labels]:
    chance, side = np.random.default_rng(seed), MEMBERS[name]
    images = chance.standard_normal((BATCH, 3, side, side), dtype=np.float32)
    return images, chance.integers(0, CLASSES, BATCH)


def inferred(path: Path, images: Images, ranks: int) -> list[Images]:
    def work(rank: int) -> list[Images]:
        plan = pyhpmp.plan(pyhpmp.load(path), batch=BATCH, strategy="filter", training=False)
        return pyhpmp.Session(plan, threads=1).outputs(images)

    return local.run(ranks, work)[0]


def trained(path: Path, images: Images, labels: Labels, ranks: int) -> Grads:
    """Gradients of one step; what several losses have, summed with the usual weights."""

    def work(rank: int) -> Grads:
        plan = pyhpmp.plan(pyhpmp.load(path), batch=BATCH, strategy="filter", bn_group=BATCH)
        trainer = pyhpmp.Trainer(plan, optimizer=pyhpmp.SGD(lr=1e-3), threads=1)
        trainer.step(images, labels)
        return trainer.engine.grads()

    return local.run(ranks, work)[0]


def autograd(
    imported: onnx_import.ImportedModel, images: Images, labels: Labels, dtype: str = "float64"
) -> Grads:
    """Of the imported graph, by the definitions of its operators."""
    exact = {name: array.astype(dtype) for name, array in imported.params.items()}
    graph = OracleGraph(imported.graph_text, exact)
    values = graph.run(torch.from_numpy(images.astype(dtype)), training=True)
    target, loss = torch.from_numpy(labels), torch.zeros(())
    for index, name in enumerate(graph.outputs):
        logits = values[name].reshape(BATCH, -1)
        loss = loss + (AUX_WEIGHT if index else 1.0) * torch.nn.functional.cross_entropy(
            logits, target
        )
    loss.backward()
    return {n: p.grad.numpy() for n, p in graph.params.items() if p.grad is not None}


def module_grads(network: torch.nn.Module, images: Images, labels: Labels, named: Grads) -> Grads:
    """The same of the module itself in float64, of the parameters that have names in `named`."""
    network.double().train().zero_grad()
    found = network(torch.from_numpy(images).double())
    outputs = found if isinstance(found, tuple) else (found,)
    target = torch.from_numpy(labels)
    losses = [torch.nn.functional.cross_entropy(y, target) for y in outputs]
    (losses[0] + AUX_WEIGHT * sum(losses[1:])).backward()
    grads = {n: p.grad.numpy() for n, p in network.named_parameters() if p.grad is not None}
    network.float().eval()
    missing = grads.keys() - named.keys()
    if missing:
        raise AssertionError(f"the file has no parameters {sorted(missing)[:5]}")
    return {n: grad.reshape(named[n].shape) for n, grad in grads.items()}


def excess(got: Grads, wanted: Grads, rounded: Grads, exact: Grads) -> float:
    """The largest difference of a parameter's gradient, over the norm of the exact one.

    Less three times what PyTorch's own float32 gradient is off, as sums that nearly cancel leave
    nothing but rounding. A gradient that is zero but for float64's rounding, as that of a bias
    ahead of a batch-norm, is held against the largest one.
    """
    norms = {n: float(np.linalg.norm(g)) for n, g in exact.items() if n in got}
    whole = max(norms.values())
    worst = 0.0
    for n, norm in norms.items():
        shape = exact[n].shape
        error = np.linalg.norm(got[n].reshape(shape) - wanted[n].reshape(shape))
        noise = 3 * np.linalg.norm(rounded[n] - exact[n])
        worst = max(worst, float(error - noise) / (norm if norm > ZERO * whole else whole))
    return worst


def difference(got: list[Images], wanted: list[Images]) -> float:
    pairs = zip(got, wanted, strict=True)
    return max(float(abs(a.reshape(b.shape) - b).max() / abs(b).max()) for a, b in pairs)


def measured(name: str, form: str, folder: Path) -> Row:
    row, network = Row(), build(name)
    images, labels = batch(name, SEEDS[0])
    settle(network, torch.from_numpy(images))
    path = folder / "model.onnx"
    torchvision_models.export(network, form, path, image=MEMBERS[name])
    imported = onnx_import.load(path)
    onnx_import.export(imported, imported.params, folder / "inference.onnx")
    one = inferred(path, images, 1)
    row.outputs = difference(one, run_onnx(folder / "inference.onnx", images))
    row.outputs_of_four = difference(inferred(path, images, 4), one)
    for row.seed in SEEDS:
        images, labels = batch(name, row.seed)
        exact = autograd(imported, images, labels)
        rounded = autograd(imported, images, labels, "float32")
        if form == "legacy_train":
            exact |= module_grads(network, images, labels, exact)
        grads = trained(path, images, labels, 1)
        row.gradients = excess(grads, exact, rounded, exact)
        of_four = trained(path, images, labels, 4)
        row.gradients_of_four = excess(of_four, grads, rounded, exact)
        if row.good:
            break
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(MEMBERS), metavar="NETWORK")
    parser.add_argument("--form", choices=torchvision_models.FORMS, action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    say = partial(print, flush=True)
    titles = (
        f"{'outputs':>10}{'gradients':>11}{'4: outputs':>12}{'gradients':>11}{'seed':>5}{'s':>6}"
    )
    say(f"{'network':20}{'form':14}{titles}")
    failed = 0
    for name in arguments.networks:
        for form in arguments.form or torchvision_models.FORMS:
            if name.endswith(AUX) and form != "legacy_train":
                continue  # the other forms leave auxiliary heads out
            start = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    row = measured(name, form, Path(folder))
                except Exception as error:
                    traceback.print_exc()
                    row = Row(failure=f"{type(error).__name__}: {error}")
            figures = f"{row.outputs:10.1e}{row.gradients:11.1e}{row.outputs_of_four:12.1e}"
            figures += f"{row.gradients_of_four:11.1e}{row.seed:5}"
            mark = "" if row.good else "  FAILED " + row.failure[:200]
            say(f"{name:20}{form:14}{figures}{time.monotonic() - start:6.0f}{mark}")
            failed += not row.good
    say("all within bounds" if not failed else f"{failed} out of bounds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
