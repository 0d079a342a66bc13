"""Grouped and depthwise convolutions, and the Clips behind them, cut by every placement: loss and
gradients are autograd's, and what is sent is the metric."""

from __future__ import annotations

import pytest
from cuts import PLACEMENTS, check

# Widths that are no multiple of 16, a depthwise convolution that makes two channels of each, one
# with a stride, a grouped one whose groups are not whole blocks, and a skip around a depthwise one.
TEXT = """\
hpmp-graph 1
input x 3 9 9
param stem.w weight 24 3 3 3
param wide.w weight 48 1 3 3
param scale scale 48
param shift shift 48
param mean running_mean 48
param var running_var 48
param point.w weight 40 48 1 1
param same.w weight 40 1 3 3
param same.b bias 40
param grouped.w weight 60 8 3 3
param grouped.b bias 60
param stride.w weight 60 1 3 3
param head.w weight 10 60
param head.b bias 10
node Conv stem : x : stem.w : stem kernel=3,3 pads=1,1,1,1
node Clip stem.6 : stem : : stem.6 min=0 max=1.5
node Conv wide : stem.6 : wide.w : wide kernel=3,3 pads=1,1,1,1 groups=24
node BatchNormalization norm : wide : scale shift mean var : norm
node Clip wide.6 : norm : : wide.6 min=0 max=1.25
node Conv point : wide.6 : point.w : point kernel=1,1
node Conv same : point : same.w same.b : same kernel=3,3 pads=1,1,1,1 groups=40
node Clip same.6 : same : : same.6 min=-0.5
node Add add : point same.6 : : add
node Conv grouped : add : grouped.w grouped.b : grouped kernel=3,3 pads=1,1,1,1 groups=5
node Clip grouped.6 : grouped : : grouped.6 max=0.75
node Conv stride : grouped.6 : stride.w : stride kernel=3,3 strides=2,2 groups=60
node Clip stride.6 : stride : : stride.6 min=-0.5 max=0.5
node GlobalAveragePool pool : stride.6 : : pool
node Flatten flat : pool : : flat
node Clip flat.6 : flat : : flat.6 min=-0.2 max=0.2
node Dense head : flat.6 : head.w head.b : y
output y
"""


@pytest.mark.parametrize("channel_block", [1, 8, 16])
@pytest.mark.parametrize(("strategy", "ranks"), PLACEMENTS)
def test_loss_gradients_and_volume_do_not_depend_on_the_cut(
    strategy: str, ranks: int, channel_block: int
) -> None:
    check(TEXT, strategy, ranks, channel_block)
