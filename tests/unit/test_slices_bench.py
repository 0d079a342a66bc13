"""The bench of slices: what it times, and how it counts."""

from __future__ import annotations

import slices


def test_a_layer_and_its_slice_differ_in_output_channels_only() -> None:
    layer = slices.Layer(16, 32, 3, 8, stride=2)
    whole, part = (layer.graph(c).outputs[0].shape for c in (32, 8))
    assert (whole, part) == ((32, 4, 4), (8, 4, 4))


def test_every_pass_of_a_slice_is_set_against_its_share() -> None:
    found = slices.ratios(slices.Layer(16, 32, 3, 8), slices=2, rounds=1)
    assert set(found) == {*slices.PASSES, "all"}
    assert min(found.values()) > 0
