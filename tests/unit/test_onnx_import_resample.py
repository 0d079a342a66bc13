"""Resize, Pad and Slice in every form import to a graph that computes what ONNX says."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from onnx.helper import make_node
from onnx_reference import assert_same, images_for, ints, make_model, run_onnx, run_oracle

import onnx_import
from onnx_import import ModelError

Floats = tuple[float, ...]
SHAPE = ("N", 3, 5, 8)
PLACES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
#: Growing, shrinking, and to one row; as sizes and as scales that give whole lengths.
SIZES = ((10, 24), (4, 6), (1, 8), (13, 3))
SCALES: tuple[Floats, ...] = ((2.0, 3.0), (1.0, 0.5), (0.6, 0.25), (3.0, 0.75))


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def resize(
    *, scales: Floats = (), sizes: tuple[int, ...] = (), roi: Floats = (), **attributes: Any
) -> onnx.ModelProto:
    """A Resize of height and width."""
    weights = {"roi": floats(*roi)}
    weights |= {"scales": floats(*scales)} if scales else {"sizes": ints(*sizes)}
    inputs = ["x", "roi" if roi else "", "scales" if scales else ""] + ["sizes"] * bool(sizes)
    node = make_node("Resize", inputs, ["y"], axes=[2, 3], **attributes)
    return make_model([node], weights, shape=SHAPE, opset=21)


def check(model: onnx.ModelProto, *, by: str = "onnxruntime") -> None:
    imported = onnx_import.load(model)
    images = images_for(imported)
    if by == "onnxruntime":
        wanted = run_onnx(model, images)
    else:
        wanted = onnx.reference.ReferenceEvaluator(model).run(None, {"x": images})
    assert_same(run_oracle(imported, images), wanted)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_places_pixels_as_onnxruntime_does(place: str, mode: str) -> None:
    for sizes in SIZES:
        check(resize(sizes=sizes, mode=mode, coordinate_transformation_mode=place))
    for scales in SCALES:
        check(resize(scales=scales, mode=mode, coordinate_transformation_mode=place))


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest_rounds_as_onnxruntime_does(rounding: str) -> None:
    for place in PLACES:
        form = {"nearest_mode": rounding, "coordinate_transformation_mode": place}
        for sizes in SIZES:
            check(resize(sizes=sizes, mode="nearest", **form))


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_resize_keeps_the_aspect_ratio(policy: str) -> None:
    for sizes in ((7, 10), (10, 24), (4, 7)):
        check(resize(sizes=sizes, mode="linear", keep_aspect_ratio_policy=policy))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("place", ["half_pixel", "asymmetric", "half_pixel_symmetric"])
def test_antialias_stretches_the_filter_as_onnx_defines_it(mode: str, place: str) -> None:
    for outside in (0, 1):
        form = {"exclude_outside": outside, "coordinate_transformation_mode": place}
        for sizes in SIZES:
            check(resize(sizes=sizes, mode=mode, antialias=1, **form), by="onnx")


def test_cubic_takes_its_coefficient_and_may_exclude_what_is_outside() -> None:
    check(resize(sizes=(9, 11), mode="cubic", cubic_coeff_a=-0.5))
    check(resize(sizes=(9, 11), mode="cubic", exclude_outside=1))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_crop_and_resize_fills_what_is_outside(mode: str) -> None:
    form = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": mode}
    check(resize(sizes=(4, 5), roi=(0.2, 0.1, 0.8, 0.7), **form))
    check(resize(sizes=(6, 7), roi=(-0.3, 0.4, 0.8, 1.5), extrapolation_value=10.0, **form))


def test_resize_reads_sizes_and_scales_of_all_axes() -> None:
    nodes = [
        make_node("Shape", ["x"], ["s"], end=2),
        make_node("Concat", ["s", "hw"], ["sizes"], axis=0),
        make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear"),
    ]
    check(make_model(nodes, {"hw": ints(7, 9)}, shape=SHAPE))
    whole = make_node("Resize", ["x", "", "scales"], ["y"])
    check(make_model([whole], {"scales": floats(1, 1, 2, 2)}, shape=SHAPE))
    fixed = make_node("Resize", ["x", "", "", "sizes"], ["y"])
    check(make_model([fixed], {"sizes": ints(2, 3, 7, 9)}, shape=(2, *SHAPE[1:])))


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 18])
def test_resizes_of_older_opsets_are_read(opset: int) -> None:
    if opset == 9:
        node = make_node("Upsample", ["x", "scales"], ["y"], mode="linear")
    elif opset == 10:
        node = make_node("Resize", ["x", "scales"], ["y"], mode="linear")
    else:
        node = make_node("Resize", ["x", "roi", "scales"], ["y"], mode="linear")
    weights = {"roi": floats(), "scales": floats(1, 1, 2, 2)}
    check(make_model([node], weights, shape=SHAPE, opset=opset))


def test_upsample_of_opset_7_is_read() -> None:
    node = make_node("Upsample", ["x"], ["y"], mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])
    check(make_model([node], shape=SHAPE, opset=7))


def pad(
    pads: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> onnx.ModelProto:
    weights = {"pads": ints(*pads)}
    if value is not None:
        weights["value"] = np.array(value, np.float32)
    node = make_node("Pad", ["x", *weights], ["y"], mode=mode)
    return make_model([node], weights, shape=SHAPE)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pad_borders_as_onnxruntime_does(mode: str) -> None:
    check(pad((0, 0, 1, 2, 0, 0, 3, 0), mode))
    check(pad((0, 0, 0, -1, 0, 0, -2, 0), mode))


def test_pad_takes_a_value_axes_and_channels() -> None:
    check(pad((0, 0, 1, 2, 0, 0, 0, 4), value=1.5))
    check(pad((0, 2, 0, 1, 0, 5, 0, 0), value=-1.5))
    weights = {"pads": ints(1, 2, 0, 3), "axes": ints(-1, 2)}
    node = make_node("Pad", ["x", "pads", "", "axes"], ["y"])
    check(make_model([node], weights, shape=SHAPE))


def test_pad_of_opset_2_is_read() -> None:
    node = make_node("Pad", ["x"], ["y"], mode="reflect", pads=[0, 0, 1, 2, 0, 0, 0, 1])
    check(make_model([node], shape=SHAPE, opset=9))


WINDOWS: dict[str, tuple[onnx.NodeProto, float]] = {
    "conv": (make_node("Conv", ["p", "w"], ["y"], pads=[0, 1, 0, 0]), 0.0),
    "conv of same size": (make_node("Conv", ["p", "w"], ["y"], auto_pad="SAME_UPPER"), 0.0),
    "average pool": (make_node("AveragePool", ["p"], ["y"], kernel_shape=[3, 3]), 0.0),
    "max pool": (make_node("MaxPool", ["p"], ["y"], kernel_shape=[3, 3]), float("-inf")),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_pad_before_a_window_becomes_pads_of_the_window(name: str) -> None:
    window, value = WINDOWS[name]
    weights = {"pads": ints(0, 0, 1, 1, 0, 0, 1, 0), "value": np.array(value, np.float32)}
    weights["w"] = np.random.default_rng(3).standard_normal((4, 3, 3, 3), dtype=np.float32)
    model = make_model(
        [make_node("Pad", ["x", "pads", "value"], ["p"]), window], weights, shape=SHAPE
    )
    check(model)
    last = onnx_import.load(model).graph_text.split("node ")[-1]
    assert ": x :" in last


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_pad_that_a_window_cannot_take_stays(op: str) -> None:
    form = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
    nodes = [make_node("Pad", ["x", "pads"], ["p"]), make_node(op, ["p"], ["y"], **form)]
    model = make_model(nodes, {"pads": ints(0, 0, 1, 1, 0, 0, 0, 0)}, shape=SHAPE)
    check(model)
    assert ": p :" in onnx_import.load(model).graph_text


def test_rows_and_columns_are_sliced() -> None:
    ends = {"b": ints(-1, 1), "e": ints(-99, 7), "axes": ints(2, 3), "s": ints(-2, 3)}
    check(make_model([make_node("Slice", ["x", *ends], ["y"])], ends, shape=SHAPE))
    ends = {"b": ints(1, 1, 0), "e": ints(3, 4, 8), "axes": ints(1, 2, 3), "s": ints(1, 1, 2)}
    check(make_model([make_node("Slice", ["x", *ends], ["y"])], ends, shape=SHAPE))


MISTAKES = {
    "channels": resize(sizes=(4, 5)),
    "no length": resize(scales=(0.1, 1.0)),
    "too long": resize(scales=(1e9, 1.0)),
    "mode": resize(sizes=(4, 5), mode="spline"),
}
MISTAKES["channels"].graph.node[0].attribute[0].ints[:] = [1, 3]
WHOLE = make_node("Resize", ["x", "", "scales"], ["y"])
MISTAKES["one number"] = make_model([WHOLE], {"scales": np.array(2, np.float32)}, shape=SHAPE)


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_resized_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="Resize"):
        onnx_import.load(MISTAKES[name])
