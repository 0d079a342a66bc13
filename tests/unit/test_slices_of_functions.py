"""Functions and products of activations, cut by every placement: loss and gradients are autograd's,
and what is sent is the metric."""

from __future__ import annotations

import pytest
from cuts import PLACEMENTS, check

# Two gates (one by the map that it scales, one by another), a slope that all channels share, a map
# squared, and functions that work in place behind ones that do not.
TEXT = """\
hpmp-graph 1
input x 3 9 9
param stem.w weight 24 3 3 3
param squeeze.w weight 6 24 1 1
param excite.w weight 24 6 1 1
param one.slope slope 1
param wide.w weight 40 24 1 1
param each.slope slope 40
param same.w weight 40 1 3 3
param gate.w weight 40 40 1 1
param scale scale 40
param shift shift 40
param mean running_mean 40
param var running_var 40
param head.w weight 10 40
param head.b bias 10
node Conv stem : x : stem.w : stem kernel=3,3 pads=1,1,1,1
node Silu stem.f : stem : : stem.f
node GlobalAveragePool pool1 : stem.f : : pool1
node Conv squeeze : pool1 : squeeze.w : squeeze kernel=1,1
node Gelu squeeze.f : squeeze : : squeeze.f
node Conv excite : squeeze.f : excite.w : excite kernel=1,1
node Sigmoid excite.f : excite : : excite.f
node Mul scaled : stem.f excite.f : : scaled
node PRelu one : scaled : one.slope : one
node Conv wide : one : wide.w : wide kernel=1,1
node PRelu each : wide : each.slope : each
node Mul square : each each : : square
node Conv same : square : same.w : same kernel=3,3 pads=1,1,1,1 groups=40
node BatchNormalization norm : same : scale shift mean var : norm
node HardSwish same.f : norm : : same.f
node LeakyRelu same.g : same.f : : same.g alpha=0.25
node GlobalAveragePool pool2 : each : : pool2
node Conv gate : pool2 : gate.w : gate kernel=1,1
node HardSigmoid gate.f : gate : : gate.f alpha=0.5 beta=0.25
node Mul gated : gate.f same.g : : gated
node Max greater : gated each : : greater
node Tanh soft : greater : : soft
node GlobalAveragePool pool : soft : : pool
node Flatten flat : pool : : flat
node Elu flat.f : flat : : flat.f alpha=0.5
node Dense head : flat.f : head.w head.b : y
output y
"""


@pytest.mark.parametrize("channel_block", [1, 8])
@pytest.mark.parametrize(("strategy", "ranks"), PLACEMENTS)
def test_loss_gradients_and_volume_do_not_depend_on_the_cut(
    strategy: str, ranks: int, channel_block: int
) -> None:
    check(TEXT, strategy, ranks, channel_block)
