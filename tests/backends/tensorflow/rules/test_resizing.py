"""Resize against onnxruntime: modes, conventions, scales and sizes, known and computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]

MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
ROUNDINGS = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]


@st.composite
def targets(draw: st.DrawFn, shape: list[int], mode: str) -> dict[str, Any]:
    """Scales or sizes for the spatial axes; whole scales for align_corners, where onnxruntime rounds the length."""
    if draw(st.booleans()):
        return {"s": None, "z": np.array([*shape[:2], *(draw(st.integers(1, 9)) for _ in shape[2:])])}
    factors = [2.0, 3.0] if mode == "align_corners" else [2.0, 3.0, 0.5, 1.5, 0.75]
    scales = np.array([1, 1, *(draw(st.sampled_from(factors)) for _ in shape[2:])], np.float32)
    assume((np.floor(scales * shape) >= 1).all())
    return {"s": scales, "z": None}


@FEW
@given(data=st.data(), mode=st.sampled_from(MODES), interpolation=st.sampled_from(["nearest", "linear", "cubic"]))
def test_any_mode(agree: Agree, data: st.DataObject, mode: str, interpolation: str):
    rank = 4 if interpolation == "cubic" else data.draw(st.sampled_from([3, 4, 4]))
    shape = [2, 2, *(data.draw(st.integers(1, 6)) for _ in range(rank - 2))]
    inputs = {"x": normal(*shape), "r": None} | data.draw(targets(shape, mode))
    attributes: dict[str, Any] = {"mode": interpolation, "coordinate_transformation_mode": mode}
    if interpolation == "nearest":
        attributes["nearest_mode"] = data.draw(st.sampled_from(ROUNDINGS))
    if interpolation == "cubic":
        attributes["exclude_outside"] = data.draw(st.integers(0, 1))
        attributes["cubic_coeff_a"] = data.draw(st.sampled_from([-0.5, -0.75]))
    constants = data.draw(st.sampled_from([("s", "z"), ("s", "z"), ()]))
    unknown = data.draw(st.sampled_from([(), ("x",)]))
    node = case("Resize", inputs, constants=constants, unknown=unknown, opset=19, **attributes)
    agree(node.model, node.feeds, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("constants", [("z",), ()])
def test_antialias(agree: Agree, interpolation: str, constants: tuple[str, ...]):
    inputs = {"x": normal(1, 2, 9, 8), "r": None, "s": None, "z": np.array([1, 2, 4, 13])}
    node = case("Resize", inputs, constants=constants, opset=19, mode=interpolation, antialias=1)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("constants", [("z",), ()])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_aspect_ratio(agree: Agree, policy: str, constants: tuple[str, ...], mode: str):
    inputs = {"x": normal(2, 1, 6, 5), "r": None, "s": None, "z": np.array([7, 8])}
    attributes = {"axes": [3, 2], "keep_aspect_ratio_policy": policy, "mode": mode}
    node = case("Resize", inputs, constants=constants, opset=19, **attributes)
    agree(node.model, node.feeds)


def test_computed_scales_that_do_not_divide(agree: Agree):
    text = """agraph (float[1,1,5,4] x, float[2] s) => (float[1,1,a,b] y) {
        one = Constant<value_floats = [1.0, 1.0]>() all = Concat<axis = 0>(one, s)
        y = Resize<mode = "linear">(x, , all)
    }"""
    agree(text, {"x": normal(1, 1, 5, 4), "s": np.array([1.3, 2.6], np.float32)})


@pytest.mark.parametrize("constants", [("r", "z"), ()])
def test_crop(agree: Agree, constants: tuple[str, ...]):
    inputs = {
        "x": normal(1, 2, 5, 8),
        "r": np.array([0, 0, 0.2, -0.3, 1, 1, 0.8, 1.1], np.float32),
        "s": None,
        "z": np.array([1, 2, 4, 6]),
    }
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 5.0}
    node = case("Resize", inputs, constants=constants, opset=19, mode="linear", **attributes)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("size", ["5", "n"])
@pytest.mark.parametrize(
    ("attributes", "op"),
    [
        ("mode = 'nearest'", "ResizeNearestNeighbor"),
        (
            "mode = 'nearest', coordinate_transformation_mode = 'asymmetric', nearest_mode = 'floor'",
            "ResizeNearestNeighbor",
        ),
        ("mode = 'nearest', nearest_mode = 'round_prefer_ceil'", "ResizeNearestNeighbor"),
        ("mode = 'nearest', nearest_mode = 'ceil'", "GatherV2"),
        ("mode = 'linear'", "ResizeBilinear"),
        ("mode = 'linear', coordinate_transformation_mode = 'asymmetric'", "ResizeBilinear"),
    ],
)
def test_one_operator_where_tensorflow_has_it(agree: Agree, size: str, attributes: str, op: str):
    attributes = attributes.replace("'", '"')
    text = f"""agraph (float[2,{size},6,3] x) => (float[a,b,c,d] y) {{
        c = Transpose<perm = [0, 3, 1, 2]>(x) s = Constant<value = float[4] {{1., 1., 2., 3.}}>()
        d = Resize<{attributes}>(c, , s) y = Transpose<perm = [0, 2, 3, 1]>(d)
    }}"""
    ops = agree(text, {"x": normal(2, 5, 6, 3)})
    assert op in ops
    assert "Transpose" not in ops
    assert "Sum" not in ops


def test_axes_of_nhwc_models(agree: Agree):
    """The two axes that change stand in the middle, whatever ONNX calls them."""
    text = """agraph (float[1,4,5,2] x) => (float[1,8,10,2] y) {
        s = Constant<value = float[4] {1., 2., 2., 1.}>() y = Resize<mode = "linear">(x, , s)
    }"""
    ops = agree(text, {"x": normal(1, 4, 5, 2)})
    assert "ResizeBilinear" in ops
    assert "Transpose" not in ops


def test_axes_that_stay_as_they_are_though_sizes_are_computed(agree: Agree):
    text = """agraph (float[N,3,H,W] x) => (float[N,3,a,b] y) {
        nc = Shape<start = 0, end = 2>(x) hw = Shape<start = 2>(x)
        two = Constant<value_int = 2>() more = Mul(hw, two) sizes = Concat<axis = 0>(nc, more)
        y = Resize<mode = "linear">(x, , , sizes)
    }"""
    ops = agree(text, {"x": normal(2, 3, 4, 5)})
    assert ops.count("ResizeBilinear") == 1
    assert "Sum" not in ops


@pytest.mark.parametrize(
    "spelt",
    [
        "nc = Slice(shape, zero, two, zero)",
        "narrow = Cast<to = 6>(shape) some = Slice(narrow, zero, two) nc = Cast<to = 7>(some)",
        "nc = Gather(shape, both)",
        "a = Gather(shape, first) b = Gather(shape, second) n = Unsqueeze(a, zero) c = Unsqueeze(b, zero)"
        " nc = Concat<axis = 0>(n, c)",
    ],
)
def test_sizes_that_are_traced_to_the_input(agree: Agree, spelt: str):
    """Shape inference gives nothing here: the batch and the channels are found by following the shape back."""
    text = f"""agraph (float[N,C,H,W] x, int64[2] hw) => (float[a,b,c,d] y)
    <int64[1] zero = {{0}}, int64[1] two = {{2}}, int64[2] both = {{0, 1}}, int64 first = {{0}}, int64 second = {{1}}>
    {{
        shape = Shape(x) {spelt} sizes = Concat<axis = 0>(nc, hw) y = Resize<mode = "linear">(x, , , sizes)
    }}"""
    ops = agree(text, {"x": normal(2, 3, 4, 5), "hw": np.array([7, 9])})
    assert ops.count("ResizeBilinear") == 1
    assert "Sum" not in ops


def test_sizes_of_other_axes_are_not_those_of_the_input(agree: Agree):
    text = """agraph (float[N,C,H,W] x, int64[2] hw) => (float[a,b,c,d] y) {
        places = Constant<value_ints = [1, 0]>() shape = Shape(x) nc = Gather(shape, places)
        sizes = Concat<axis = 0>(nc, hw) y = Resize<mode = "nearest">(x, , , sizes)
    }"""
    agree(text, {"x": normal(2, 3, 4, 5), "hw": np.array([7, 9])})


def test_upsample(agree: Agree):
    scales = np.array([1, 1, 2, 1.5], np.float32)
    for opset, inputs, attributes in (
        (9, {"x": normal(1, 2, 3, 4), "s": scales}, {}),
        (7, {"x": normal(1, 2, 3, 4)}, {"scales": scales.tolist()}),
    ):
        for mode in ("nearest", "linear"):
            node = case("Upsample", inputs, constants=["s"], opset=opset, mode=mode, **attributes)
            agree(node.model, node.feeds)
