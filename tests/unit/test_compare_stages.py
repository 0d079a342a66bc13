"""The pipeline that ours is compared with is cut where its stages are balanced."""

from __future__ import annotations

import pytest
import torch
from peers import networks, stages


def test_the_slowest_stage_is_as_fast_as_can_be() -> None:
    assert stages.balanced([1.0, 1.0, 1.0, 3.0], [1, 2, 3], 2) == (3,)
    assert stages.balanced([4.0, 1.0, 1.0, 1.0, 4.0], [1, 2, 3, 4], 3) == (1, 4)
    assert stages.bounds((1, 4), 5) == [(0, 1), (1, 4), (4, 5)]


def test_a_cut_moves_to_the_next_position_that_is_allowed() -> None:
    assert stages.neighbours((4,), [1, 4, 5]) == [(1,), (5,)]
    assert stages.neighbours((1, 4), [1, 4, 5]) == [(1, 5)]


def test_no_stage_begins_with_a_layer_that_overwrites_what_it_is_sent() -> None:
    layers = networks.build("vgg16", 32).layers()
    positions = stages.allowed(layers)
    assert 1 not in positions
    assert 2 in positions
    assert not any(isinstance(layers[i], torch.nn.ReLU) for i in positions)


@pytest.mark.parametrize("inside", [torch.channels_last, torch.contiguous_format])
def test_a_stage_sends_contiguous_tensors_both_ways(inside: torch.memory_format) -> None:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 1), torch.nn.ReLU(inplace=True), torch.nn.Conv2d(8, 8, 3)]
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    plain = torch.nn.Sequential(*layers)(images)
    (wanted,) = torch.autograd.grad(plain.square().sum(), images)
    layers[0].to(memory_format=torch.channels_last)  # of 1x1 kernels no later format is sure
    x = images.detach().requires_grad_()
    y = stages.Stage(layers, inside)(x)
    (found,) = torch.autograd.grad(y.square().sum(), x)
    assert y.is_contiguous()
    assert found.is_contiguous()
    torch.testing.assert_close(y, plain)
    torch.testing.assert_close(found, wanted)
